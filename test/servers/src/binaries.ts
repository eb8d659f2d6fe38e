import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** A program that tests run, and the Debian packages that contain it. */
export interface WantedBinary {
  /** As in "a Redis server". */
  readonly name: string;
  /** Names of the program, the preferred one first. */
  readonly programs: readonly string[];
  /** Debian packages with just the program, without a system service or a database of their own. */
  readonly packages: readonly string[];
  /** The environment variable for a running server in its place, if that is possible. */
  readonly variable?: string;
}

// Servers are often not on an ordinary user's PATH.
const MORE_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/libexec', '/usr/local/bin', '/opt/homebrew/bin'];
const FIVE_MINUTES_SECONDS = '300';

/** The full path of the first of these programs that exists on this machine. */
async function findBinary(programs: readonly string[]): Promise<string | undefined> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), ...MORE_FOLDERS];
  for (const program of programs) {
    for (const folder of folders) {
      if (await isExecutable(join(folder, program))) return join(folder, program);
    }
  }
  return undefined;
}

/** Finds a program on this machine. On Debian, root installs it if necessary, unless `mayInstall` is false. */
export async function findOrInstall(wanted: WantedBinary, mayInstall?: boolean): Promise<string> {
  const found = await findBinary(wanted.programs);
  if (found) return found;
  if (!(mayInstall ?? (await canInstall()))) throw new MissingServer(whatToDo(wanted));
  await install(wanted.packages);
  const installed = await findBinary(wanted.programs);
  if (!installed) throw new Error(`${wanted.packages.join(' and ')} installed, but there is no ${wanted.programs[0]}`);
  return installed;
}

/** There is no server, and none can be installed here. The message says what to do. */
export class MissingServer extends Error {
  override readonly name = 'MissingServer';
}

function whatToDo({ name, programs, packages, variable }: WantedBinary): string {
  const install = `install ${programs[0]} (Debian and Ubuntu: sudo apt-get install ${packages.join(' ')})`;
  const instead = variable === undefined ? '' : `, or start Docker, or name a running server in ${variable}`;
  return `These tests need ${name}: ${install}${instead}.`;
}

async function canInstall(): Promise<boolean> {
  return process.getuid?.() === 0 && (await isExecutable('/usr/bin/apt-get')) && (await isExecutable('/usr/bin/flock'));
}

async function install(packages: readonly string[]): Promise<void> {
  process.stderr.write(`test servers: installing Debian's ${packages.join(' and ')} with apt-get\n`);
  const apt = `apt-get -o DPkg::Lock::Timeout=${FIVE_MINUTES_SECONDS} -qq`;
  // If updating fails, installing may still work; if not, its error says why.
  const script = `${apt} update; ${apt} install -y --no-install-recommends ${packages.join(' ')}`;
  // One at a time: apt does not wait for another's update. The lock is on a folder that is there anyway.
  await promisify(execFile)('flock', ['--timeout', FIVE_MINUTES_SECONDS, '/var/lib/apt', 'sh', '-c', script], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
