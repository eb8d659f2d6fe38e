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

/** Runs a program with the address of a local port that logs in for it while it runs. @returns its exit code */
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
    // The command may not show the reason itself, since client libraries can hide it.
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
    // TLS begins at the proxy; the settings in the environment are for the database itself.
    ...{ PGSSLMODE: 'disable', PGGSSENCMODE: 'disable', PGSSLROOTCERT: undefined },
    // These would override PGHOST.
    ...{ PGHOSTADDR: undefined, PGSERVICE: undefined },
  };
}

function mysqlVariables({ host, port, username, password }: Connection, folder: string): Variables {
  // MariaDB's clients from 11.4 on insist on TLS, unless a file says otherwise.
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
