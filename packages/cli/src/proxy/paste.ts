import { dirname } from 'node:path';
import type { ProxyListener, RdsIamProxy } from '@rds-iam/proxy';
import { shellWord } from '../shell-word.js';

/** How to connect to one of a proxy's listeners, as `--json` prints it. */
export interface Connection {
  readonly engine: 'postgres' | 'mysql';
  /** An address, or the folder of a Unix socket. */
  readonly host: string;
  /** For PostgreSQL's sockets, the number in their name. */
  readonly port: number | undefined;
  /** The path of a Unix socket. */
  readonly socket: string | undefined;
  readonly username: string;
  readonly database: string | undefined;
  readonly password: string | undefined;
  readonly url: string;
  /** The database behind it. */
  readonly endpoint: string;
}

/** @param password - undefined if there is none, or it must not be printed */
export function connectionTo(listener: ProxyListener, password: string | undefined): Connection {
  const { engine, username, database, hostname, port, listening } = listener;
  const at =
    'port' in listening
      ? {
          host: listening.address === '0.0.0.0' ? '127.0.0.1' : listening.address,
          port: listening.port,
          socket: undefined,
        }
      : { host: dirname(listening.path), port: socketNumber(listening.path), socket: listening.path };
  return {
    ...{ engine, ...at, username, database, password },
    url: urlTo({ engine, ...at, username, database, password }),
    endpoint: `${hostname}:${port}`,
  };
}

/** What to paste into a shell, a program or a graphical client. @param hasTls - whether the proxy has a certificate */
export function describe(proxy: RdsIamProxy, connections: readonly Connection[], hasTls: boolean): string {
  const blocks = connections.map((connection) => {
    const { engine, host, port, socket, username, database, password, url, endpoint } = connection;
    const of = database === undefined ? '' : `, database ${database}`;
    const hidden = password === undefined && proxy.password !== undefined;
    const fields = {
      ...(socket === undefined || engine === 'postgres' ? { host } : { socket }),
      port,
      user: username,
      password: hidden ? 'yours' : (password ?? 'none'),
      database,
    };
    const listed = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]));
    // A Unix socket has no TLS.
    const ssl = hasTls && socket === undefined ? 'with SSL, using the certificate in --tls-cert' : 'without SSL';
    return [
      `# ${username} at ${endpoint}${of}`,
      url,
      engine === 'postgres' ? `psql ${shellWord(url)}` : mariadbCommand(connection, hasTls),
      `# in a graphical client: ${listed.join(', ')}; ${ssl}`,
    ].join('\n');
  });
  return blocks.join('\n\n');
}

function mariadbCommand(connection: Connection, hasTls: boolean): string {
  const { host, port, socket, username, database, password } = connection;
  const secret = password === undefined ? '' : `MYSQL_PWD=${shellWord(password)} `;
  // From 11.4 on they insist on TLS unless told otherwise.
  const ssl = hasTls ? '' : ' --skip-ssl';
  const at = socket === undefined ? `--host=${host} --port=${port}${ssl}` : `--socket=${shellWord(socket)}`;
  const named = database === undefined ? '' : ` ${shellWord(database)}`;
  return `${secret}mariadb ${at} --user=${shellWord(username)}${named}`;
}

function urlTo(connection: Omit<Connection, 'url' | 'endpoint'>): string {
  const { engine, host, port, socket, username, database, password } = connection;
  const secret = password === undefined ? '' : `:${encodeURIComponent(password)}`;
  const user = `${encodeURIComponent(username)}${secret}`;
  const path = database === undefined ? '' : encodeURIComponent(database);
  if (engine === 'postgres') {
    if (socket === undefined) return `postgresql://${user}@${bracketed(host)}:${port}/${path}`;
    return `postgresql://${user}@/${path}?host=${encodeURIComponent(host)}&port=${port}`;
  }
  if (socket === undefined) return `mysql://${user}@${bracketed(host)}:${port}/${path}`;
  return `mysql://${user}@localhost/${path}?socket=${encodeURIComponent(socket)}`;
}

const bracketed = (host: string) => (host.includes(':') ? `[${host}]` : host);

const socketNumber = (path: string): number | undefined => {
  const number = /\.s\.PGSQL\.(\d+)$/.exec(path)?.[1];
  return number === undefined ? undefined : Number(number);
};
