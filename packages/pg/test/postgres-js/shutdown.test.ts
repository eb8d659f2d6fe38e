import { fileURLToPath } from 'node:url';
import { FREE, runProgram } from '@rds-iam/conformance';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Stack, startStack } from '../stack.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack[Symbol.asyncDispose]());

/** Runs a program in a process without pg, which users of postgres.js do not have. */
const WITHOUT_PG = `data:text/javascript,${encodeURIComponent(`
  import { register } from 'node:module';
  register('data:text/javascript,' + encodeURIComponent(\`
    export const resolve = (specifier, context, next) => {
      const [, name] = /(?:^|[/]node_modules[/])(pg(?:-[a-z]+)*)(?:[/]|$)/.exec(specifier) ?? [];
      if (name) throw new Error('there is no ' + name);
      return next(specifier, context);
    };\`));`)}`;

const source = JSON.stringify(new URL('../../src/postgres-js.ts', import.meta.url).href);
const run = (program: string) =>
  runProgram(`import postgres from 'postgres'; import { withRdsIam } from ${source}; ${program}`, stack.config, {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    preload: [WITHOUT_PG],
  });

test('a process whose pool has ended is free to exit, and did not need pg', async () => {
  const ended = await run(`
    const sql = postgres(withRdsIam({ ...config, max: 5 }));
    await Promise.all(Array.from({ length: 20 }, () => sql\`select 1\`));
    await sql.end();
    console.log(process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').join());
    await import('pg').catch((error) => console.log(error.message));`);
  expect(ended).toEqual({ ...FREE, output: '\nthere is no pg\n' });
});

test('a process whose logins all failed is free to exit without ending the pool', async () => {
  const ended = await run(`
    const nowhere = postgres(withRdsIam({ ...config, database: 'nowhere', backoff: false }));
    await Promise.allSettled(Array.from({ length: 20 }, () => nowhere\`select 1\`));
    const iam = { ...config.iam, retry: false };
    const sql = postgres(withRdsIam({ ...config, port: 1, iam }));
    await sql\`select 1\`.catch((error) => console.log(error.code));
    await sql.reserve().catch((error) => console.log(error.code));`);
  expect(ended).toEqual({ ...FREE, output: 'ERR_RDS_IAM_UNREACHABLE\n'.repeat(2) });
});
