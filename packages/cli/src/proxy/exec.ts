import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProxy } from '@rds-iam/proxy';
import { checkCommand, type ExecRequest, run } from '../exec.js';
import { engineOfPort } from '../login-environment.js';
import { loginTarget, readCa, type Settings } from '../settings.js';
import { tell } from '../terminal.js';
import { eventLine } from './event-line.js';
import { type Connection, connectionTo } from './paste.js';

/** Runs a program with a local port in its environment, which logs in for it as long as it runs. @returns its exit code */
export async function execWithProxy(
  settings: Settings,
  request: Omit<ExecRequest, 'urlReader' | 'isLibpq'>,
): Promise<number> {
  const { program, args } = checkCommand(request);
  const { region, profile, ca, database, dial } = settings;
  const login = loginTarget(settings);
  const engine = settings.engine ?? engineOfPort(login.port);
  await using proxy = await startProxy({
    targets: [{ engine, ...login, ...(database !== undefined && { database }) }],
    iam: {
      ...(region !== undefined && { region }),
      ...(profile !== undefined && { profile }),
      ...(dial !== undefined && { dial }),
      ...(ca !== undefined && { ca: readCa(ca) }),
    },
    // What the command cannot always show: a client library may keep the reason to itself.
    onEvent: (event) => {
      if (event.type === 'refusal') tell(eventLine(event), 'warning');
    },
  });
  const connections = proxy.listeners.map((listener) => connectionTo(listener, proxy.password));
  const folder = mkdtempSync(join(tmpdir(), 'rds-iam-'));
  try {
    const variables = Object.assign({}, ...connections.map((connection) => variablesFor(connection, folder)));
    return await run(program, args, {
      ...request.environment,
      ...variables,
      [request.urlVariable]: connections[0]?.url,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Variables = Readonly<Record<string, string | undefined>>;

function variablesFor(connection: Connection, folder: string): Variables {
  return connection.engine === 'postgres' ? postgresVariables(connection) : mysqlVariables(connection, folder);
}

function postgresVariables({ host, port, username, database, password }: Connection): Variables {
  return {
    ...{ PGHOST: host, PGPORT: String(port), PGUSER: username, PGPASSWORD: password },
    ...(database !== undefined && { PGDATABASE: database }),
    // TLS is from the proxy on; what the environment has of it is for the database itself.
    ...{ PGSSLMODE: 'disable', PGGSSENCMODE: 'disable', PGSSLROOTCERT: undefined },
    // These lead elsewhere than PGHOST.
    ...{ PGHOSTADDR: undefined, PGSERVICE: undefined },
  };
}

function mysqlVariables({ host, port, username, password }: Connection, folder: string): Variables {
  // MariaDB's clients from 11.4 on insist on TLS, where a file does not say otherwise.
  const quoted = `"${username.replace(/["'\\]/g, '\\$&')}"`;
  const lines = [
    '[client]',
    `host=${host}`,
    `port=${port}`,
    `user=${quoted}`,
    'protocol=tcp',
    '[client-mariadb]',
    'skip-ssl',
  ];
  writeFileSync(join(folder, 'my.cnf'), `${lines.join('\n')}\n`, { mode: 0o600 });
  return { MYSQL_HOST: host, MYSQL_TCP_PORT: String(port), MYSQL_PWD: password, MYSQL_HOME: folder };
}
