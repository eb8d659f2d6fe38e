import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import { findOrInstall } from './binaries.js';
import { account, type Command, freePort, makeFolder, runOwnServer, writePrivate } from './own-server.js';
import { copy, template } from './templates.js';

export interface MariadbOptions {
  /** Serve TLS with this certificate and key (PEM). Default: no TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Settings as in my.cnf. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Which of the two a server is. */
export type MysqlFlavour = 'mariadb' | 'mysql';

/** A MariaDB or MySQL, whichever the machine has. `root` needs no password, also over TCP from loopback. */
export interface MariadbServer extends AsyncDisposable {
  readonly hostname: '127.0.0.1';
  readonly port: number;
  readonly flavour: MysqlFlavour;
  /** Such as `10.11.6`. */
  readonly version: string;
  /** The server's log so far. */
  log(): string;
  /** Connects as root, over the Unix socket. The caller ends the connection. */
  connectAsSuperuser(database?: string): Promise<mysql.Connection>;
  /** Stops the server, which drops its sessions, and starts it again with the same data and port. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Starts a separate real MariaDB or MySQL, on a free port and in its own folder, that ends with this process. */
export async function startMariadb(options: MariadbOptions = {}): Promise<MariadbServer> {
  const binary = await findOrInstall({
    name: 'a MariaDB or MySQL server',
    programs: ['mariadbd', 'mysqld'],
    // Only the -core packages: `mariadb-server` would start a service and make a database.
    packages: ['mariadb-server-core', 'mariadb-client-core'],
    variable: 'TEST_MYSQL_URL',
  });
  const { flavour, version } = await identify(binary);
  const initialize = (path: string): Command => ({ ...FLAVOURS[flavour].initialize(binary, path), options: account });
  const shared = await template(`${flavour}-${binary}`, initialize);
  const port = await freePort();
  const folder = makeFolder('mariadb');
  const data = join(folder, 'data');
  const socketPath = join(folder, 'socket');
  const settings: Record<string, string> = {
    datadir: data,
    socket: socketPath,
    pid_file: join(folder, 'pid'),
    bind_address: '127.0.0.1',
    port: String(port),
    max_connections: '300',
    skip_name_resolve: 'ON',
    init_file: writePrivate(folder, 'init.sql', ROOT_OVER_TCP),
    innodb_flush_log_at_trx_commit: '0',
    ...FLAVOURS[flavour].settings,
  };
  if (options.tls) {
    settings['ssl_cert'] = writePrivate(folder, 'server.crt', options.tls.cert);
    settings['ssl_key'] = writePrivate(folder, 'server.key', options.tls.key);
  } else {
    Object.assign(settings, FLAVOURS[flavour].withoutTls);
  }
  const server = await runOwnServer({
    name: flavour === 'mariadb' ? 'MariaDB' : 'MySQL',
    folder,
    prepare: [shared === undefined ? initialize(data) : { ...copy(shared, data), options: account }],
    serve: {
      command: binary,
      args: ['--no-defaults', ...toArguments({ ...settings, ...options.settings })],
      options: account,
    },
    ready: /: ready for connections/,
    stopSignal: 'SIGKILL',
  });
  return {
    hostname: '127.0.0.1',
    port,
    flavour,
    version,
    log: server.log,
    connectAsSuperuser: (database) =>
      mysql.createConnection({ socketPath, user: 'root', ...(database && { database }) }),
    restart: server.restart,
    close: server.close,
    [Symbol.asyncDispose]: server.close,
  };
}

// One statement per line, for --init-file. MySQL only makes root@localhost, which does not match a client over TCP if names are
// not resolved.
const ROOT_OVER_TCP = `create user if not exists root@127.0.0.1;
grant all privileges on *.* to root@127.0.0.1 with grant option;
`;

interface Flavour {
  readonly settings: Readonly<Record<string, string>>;
  readonly withoutTls: Readonly<Record<string, string>>;
  initialize(binary: string, data: string): Pick<Command, 'command' | 'args'>;
}

// Without these, MySQL takes seconds to flush its data to the disk and to make certificates that nobody needs.
const QUICK = {
  innodb_flush_method: 'nosync',
  innodb_doublewrite: 'OFF',
  disable_log_bin: 'ON',
  auto_generate_certs: 'OFF',
};

const FLAVOURS: Readonly<Record<MysqlFlavour, Flavour>> = {
  mariadb: {
    settings: {},
    withoutTls: { ssl: 'OFF' },
    initialize: (_binary, data) => ({
      command: 'mariadb-install-db',
      args: [
        '--no-defaults',
        `--datadir=${data}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
        '--skip-name-resolve',
        '--innodb-log-file-size=4M',
      ],
    }),
  },
  mysql: {
    settings: { ...QUICK, mysqlx: 'OFF', secure_file_priv: '', 'loose-mysql-native-password': 'ON' },
    withoutTls: {},
    initialize: (binary, data) => ({
      command: binary,
      args: ['--no-defaults', '--initialize-insecure', `--datadir=${data}`, ...toArguments(QUICK)],
    }),
  },
};

function toArguments(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
}

async function identify(binary: string): Promise<{ readonly flavour: MysqlFlavour; readonly version: string }> {
  const { stdout } = await promisify(execFile)(binary, ['--no-defaults', '--version']);
  const version = /Ver (\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? 'unknown';
  return { flavour: stdout.includes('MariaDB') ? 'mariadb' : 'mysql', version };
}
