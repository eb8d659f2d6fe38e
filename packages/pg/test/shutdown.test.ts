import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CREDENTIALS, REGION, type Stack, startStack } from './stack.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack[Symbol.asyncDispose]());

/** Runs a program against the emulator and says what it printed and how it ended. */
async function run(program: string, config: object = {}) {
  const child = spawn(
    process.execPath,
    [
      '--conditions=@rds-iam/source',
      '--import',
      'tsx',
      '--input-type=module',
      '-e',
      `
    import { Pool, Client } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
    const config = JSON.parse(process.env.CONFIG);
    ${program}`,
    ],
    {
      cwd: fileURLToPath(new URL('../../..', import.meta.url)),
      env: {
        ...process.env,
        CONFIG: JSON.stringify({
          ...stack.config,
          iam: { ...stack.iam, region: REGION, credentials: CREDENTIALS },
          ...config,
        }),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 20_000,
    },
  );
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output += chunk;
  });
  const [code, signal] = await once(child, 'exit');
  return { code, signal, output };
}

test('a process whose pool has ended is free to exit', async () => {
  const ended = await run(`
    const pool = new Pool(config);
    await Promise.all(Array.from({ length: 20 }, () => pool.query('select 1')));
    await pool.end();
    console.log(process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').join());`);
  expect(ended).toEqual({ code: 0, signal: null, output: '\n' });
});

test('a process whose logins all failed is free to exit', async () => {
  const ended = await run(`
    const pool = new Pool({ ...config, database: 'nowhere' });
    await Promise.allSettled(Array.from({ length: 20 }, () => pool.query('select 1')));
    await pool.end();
    await new Client({ ...config, port: 1, iam: { ...config.iam, retry: false } }).connect().catch((error) => console.log(error.code));`);
  expect(ended).toEqual({ code: 0, signal: null, output: 'ERR_RDS_IAM_UNREACHABLE\n' });
});

test('a pool with allowExitOnIdle does not hold the process', async () => {
  const ended = await run(`
    const pool = new Pool({ ...config, allowExitOnIdle: true });
    console.log((await pool.query('select 1 as one')).rows[0].one);`);
  expect(ended).toEqual({ code: 0, signal: null, output: '1\n' });
});
