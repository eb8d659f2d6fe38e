import { FREE, runProgram } from '@rds-iam/conformance';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Stack, startStack } from './stack.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack[Symbol.asyncDispose]());

const run = (module: 'promise' | 'mariadb', program: string) => {
  const source = JSON.stringify(new URL(`../src/${module}.ts`, import.meta.url).href);
  return runProgram(`import { createConnection, createPool } from ${source}; ${program}`, stack.config);
};

for (const module of ['promise', 'mariadb'] as const) {
  test(`a process whose pool of /${module} has ended is free to exit`, async () => {
    const ended = await run(
      module,
      `
      const pool = createPool({ ...config, connectionLimit: 5 });
      await Promise.all(Array.from({ length: 20 }, () => pool.query('select 1')));
      // The connector's own timer runs on for a connection that is being opened when its pool ends.
      const opened = await Promise.all(Array.from({ length: 5 }, () => pool.getConnection()));
      for (const connection of opened) await connection.release();
      await pool.end();
      console.log(process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').join());`,
    );
    expect(ended).toEqual({ ...FREE, output: '\n' });
  });

  test(`a process whose logins with /${module} all failed is free to exit`, async () => {
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
