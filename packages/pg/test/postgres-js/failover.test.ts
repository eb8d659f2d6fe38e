import { fileURLToPath } from 'node:url';
import { FREE, runProgram } from '@rds-iam/conformance';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Stack, startStack } from '../stack.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack[Symbol.asyncDispose]());

const source = JSON.stringify(new URL('../../src/postgres-js.ts', import.meta.url).href);
const run = (program: string) =>
  runProgram(
    `import postgres from 'postgres'; import { withRdsIam } from ${source};
     const outcomeOf = (query) => query.then(([row]) => row.n, (error) => error.code);
     ${program}`,
    stack.config,
    {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      async freeze() {
        stack.emulator.dropConnections();
        await vi.waitFor(async () => expect(await stack.sessions()).toBe(0), 10_000);
      },
    },
  );

/** Plain postgres.js's error for a query on a connection that had ended. */
const LOST = ['CONNECTION_CLOSED', 'EPIPE', 'ECONNRESET'];

test.each([
  [1, 1],
  [3, 6],
])(
  'after a freeze in which %i connections ended, %i queries are answered, and so are later ones',
  async (max, count) => {
    // Like a Lambda function after a thaw, or a program after a failover: within one turn of the event loop, a query is made, and
    // only then is the end of the connection noticed.
    const { output, ...ended } = await run(`
    const sql = postgres(withRdsIam({ ...config, max: ${max} }));
    await Promise.all(Array.from({ length: ${max} }, () => sql\`select pg_sleep(0.01)\`));
    const answers = [];
    for (let round = 0; round < 5; round++) {
      await new Promise((resolve) => setTimeout(resolve));
      freeze();
      const queries = Array.from({ length: ${count} }, () => outcomeOf(sql\`select 1 as n\`));
      answers.push(...(await Promise.all(queries)), await outcomeOf(sql\`select 2 as n\`));
    }
    console.log(JSON.stringify(answers));
    // The driver's own end() can wait forever after this, with and without us.
    process.exit();`);
    expect({ ...ended, output }).toMatchObject(FREE);
    const answers: unknown[] = JSON.parse(output);
    expect(answers).toHaveLength(5 * (count + 1));
    for (const answer of answers) expect([...LOST, 1, 2]).toContain(answer);
    expect(answers.filter((answer) => answer === 2)).toHaveLength(5);
  },
);
