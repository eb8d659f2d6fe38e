// What servers start from and takes long to make, such as a new database's folder: a run of tests makes it once and copies it.
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from './own-server.js';

/** The variable with the folder of templates, which exists while a test run lasts. */
export const TEMPLATES = 'RDS_IAM_TEST_TEMPLATES';

/**
 * @param name - distinguishes it from all others
 * @param make - the program that makes the folder at a path
 * @returns the path of the folder, not to be changed; `undefined` outside of a test run
 */
export async function template(name: string, make: (path: string) => Command): Promise<string | undefined> {
  const folder = process.env[TEMPLATES];
  if (folder === undefined) return undefined;
  const path = join(folder, name.replaceAll('/', '_'));
  if (existsSync(path)) return path;
  const own = `${path}.${randomUUID()}`;
  const { command, args, options } = make(own);
  await promisify(execFile)(command, args, { ...options, cwd: folder, env: { ...process.env, TMPDIR: folder } });
  try {
    renameSync(own, path);
  } catch (error) {
    if (!existsSync(path)) throw error;
    // Somebody else has made it in the meantime.
    rmSync(own, { recursive: true });
  }
  return path;
}

export const copy = (from: string, to: string): Pick<Command, 'command' | 'args'> => ({
  command: 'cp',
  args: ['-R', from, to],
});
