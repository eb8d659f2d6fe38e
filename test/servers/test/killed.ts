import { execFile, spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { TEMPLATES } from '../src/templates.js';

/** When to kill: once the server answers, or while its data is still being created. */
export type Moment = 'started' | 'starting';

/** Starts a server in a separate process, kills that, and expects no process and no file to be left. */
export async function expectNothingLeft(
  start: 'startPostgres' | 'startMariadb' | 'startRedis',
  signal: 'SIGKILL' | 'SIGINT' | 'SIGTERM',
  moment: Moment,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rds-iam-killed-'));
  // Servers that root starts run under another account.
  await chmod(folder, 0o755);
  const source = new URL('../src/index.ts', import.meta.url).href;
  const script = `
    const servers = await import(${JSON.stringify(source)});
    await servers.${start}();
    console.log('started');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: fileURLToPath(new URL('..', import.meta.url)), // tsx is a dependency there
    stdio: ['ignore', 'pipe', 'inherit'],
    // Without the templates, the data is made anew, which takes long enough to be interrupted.
    env: { ...process.env, [TEMPLATES]: undefined, TMPDIR: folder, TSX_DISABLE_CACHE: '1' },
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const begun = async () =>
    moment === 'started'
      ? output.includes('started')
      : (await readdir(folder)).some((name) => name.startsWith('rds-iam-'));
  await expect.poll(async () => child.exitCode !== null || begun(), { timeout: 20_000, interval: 10 }).toBe(true);
  expect(child.exitCode).toBe(null);
  expect(output.includes('started')).toBe(moment === 'started');
  await expect.poll(() => processesOf(folder)).not.toEqual([]);
  child.kill(signal);
  await expect.poll(() => processesOf(folder), { timeout: 10_000 }).toEqual([]);
  expect(await readdir(folder)).toEqual([]);
  await rm(folder, { recursive: true });
}

/** The processes whose command line contains a folder, as with all of a server's. */
async function processesOf(folder: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-ww', '-o', 'args=']);
  return stdout.split('\n').filter((line) => line.includes(folder));
}
