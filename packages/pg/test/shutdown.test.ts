import { FREE, runProgram } from '@rds-iam/conformance';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Stack, startStack } from './stack.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack[Symbol.asyncDispose]());

const source = JSON.stringify(new URL('../src/index.ts', import.meta.url).href);
const run = (program: string) => runProgram(`import { Pool, Client } from ${source}; ${program}`, stack.config);

test('a process whose pool has ended is free to exit', async () => {
  const ended = await run(`
    const pool = new Pool(config);
    await Promise.all(Array.from({ length: 20 }, () => pool.query('select 1')));
    await pool.end();
    console.log(process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').join());`);
  expect(ended).toEqual({ ...FREE, output: '\n' });
});

test('a process whose logins all failed is free to exit', async () => {
  const ended = await run(`
    const pool = new Pool({ ...config, database: 'nowhere' });
    await Promise.allSettled(Array.from({ length: 20 }, () => pool.query('select 1')));
    await pool.end();
    await new Client({ ...config, port: 1, iam: { ...config.iam, retry: false } }).connect().catch((error) => console.log(error.code));`);
  expect(ended).toEqual({ ...FREE, output: 'ERR_RDS_IAM_UNREACHABLE\n' });
});

test('a pool with allowExitOnIdle does not keep the process alive', async () => {
  const ended = await run(`
    const pool = new Pool({ ...config, allowExitOnIdle: true });
    console.log((await pool.query('select 1 as one')).rows[0].one);`);
  expect(ended).toEqual({ ...FREE, output: '1\n' });
});
