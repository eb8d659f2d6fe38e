import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startPostgres } from '../src/index.js';

test('a PostgreSQL of its own starts, answers and ends', async () => {
  const server = await startPostgres();
  const client = await server.connectAsSuperuser();
  const { rows } = await client.query<{ version: string }>('select version()');
  expect(rows[0]?.version).toMatch(/^PostgreSQL 1\d/);
  await client.end();
  await server.close();
  await expect(server.connectAsSuperuser()).rejects.toThrow();
});

test('a server does not outlive a process that was killed', async () => {
  const script = `
    const { startPostgres } = await import(${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)});
    const server = await startPostgres();
    const client = await server.connectAsSuperuser();
    const { rows } = await client.query('select pid from pg_stat_activity where backend_type = $1', ['checkpointer']);
    console.log(rows[0].pid);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: fileURLToPath(new URL('../../demo', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const pid = Number(line);
  expect(isRunning(pid)).toBe(true);
  child.kill('SIGKILL');
  await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
