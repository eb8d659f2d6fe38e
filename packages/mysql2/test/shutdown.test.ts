import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Stack, startStack } from './stack.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack[Symbol.asyncDispose]());

/** Runs a program against the emulator and says what it printed and how it ended. */
async function run(module: 'promise' | 'mariadb', program: string) {
  const source = new URL(`../src/${module}.ts`, import.meta.url).href;
  const child = spawn(
    process.execPath,
    [
      '--conditions=@rds-iam/source',
      '--import',
      'tsx',
      '--input-type=module',
      '-e',
      `
    import { createConnection, createPool } from ${JSON.stringify(source)};
    const config = JSON.parse(process.env.CONFIG);
    ${program}`,
    ],
    {
      cwd: fileURLToPath(new URL('../../..', import.meta.url)),
      env: { ...process.env, CONFIG: JSON.stringify(stack.config) },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 20_000,
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const [code, signal] = await once(child, 'close');
  return { code, signal, output };
}

const FREE = { code: 0, signal: null };

for (const module of ['promise', 'mariadb'] as const) {
  test(`a process whose pool of /${module} has ended is free to exit`, async () => {
    const ended = await run(
      module,
      `
      const pool = createPool({ ...config, connectionLimit: 5 });
      await Promise.all(Array.from({ length: 20 }, () => pool.query('select 1')));
      await pool.end();
      console.log(process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').join());`,
    );
    expect(ended).toEqual({ ...FREE, output: '\n' });
  });

  test(`a process whose logins by /${module} all failed is free to exit`, async () => {
    const ended = await run(
      module,
      `
      const pool = createPool({ ...config, database: 'nowhere' });
      await Promise.allSettled(Array.from({ length: 20 }, () => pool.query('select 1')));
      await pool.end();
      await createConnection({ ...config, port: 1, iam: { ...config.iam, retry: false } }).catch((error) => console.log(error.code));`,
    );
    expect(ended).toEqual({ ...FREE, output: 'ERR_RDS_IAM_UNREACHABLE\n' });
  });
}
