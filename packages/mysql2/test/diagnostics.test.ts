import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import * as mysql2 from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as ours from '../src/promise.js';
import { type Stack, startStack } from './stack.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack[Symbol.asyncDispose]());

const PHASES = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];

/** What an APM hears from mysql2 in the meantime. */
async function heard(work: () => Promise<unknown>): Promise<string[]> {
  const events: string[] = [];
  const listeners = PHASES.map((phase): [string, (message: unknown) => void] => [
    `tracing:mysql2:connect:${phase}`,
    (message) => {
      const { user, serverAddress } = message as { readonly user: string; readonly serverAddress: string };
      events.push(`${phase} ${user} ${serverAddress === 'localhost'}`);
    },
  ]);
  for (const [name, listener] of listeners) subscribe(name, listener);
  await work();
  for (const [name, listener] of listeners) unsubscribe(name, listener);
  return events.sort();
}

test("an APM hears the same about our connections as about mysql2's, opened or refused", async () => {
  const { hostname, port } = stack.upstream;
  expect(hostname).toBe('127.0.0.1');
  const plainConfig = { host: 'localhost', port, user: stack.username };
  const uses = (database: string) => [
    () => mysql2.createConnection({ ...plainConfig, database }),
    () => ours.createConnection({ ...stack.config, database }),
  ];
  for (const database of [stack.database, 'nowhere']) {
    const [plain, mine] = await Promise.all([[], []]).then(async () => {
      const results: string[][] = [];
      for (const connect of uses(database)) {
        results.push(
          await heard(async () => {
            for (let i = 0; i < 3; i++) {
              const connection = await connect().catch(() => undefined);
              await connection?.end();
            }
          }),
        );
      }
      return results;
    });
    expect(mine).toEqual(plain);
    expect(plain?.filter((event) => event.startsWith('start'))).toHaveLength(3);
  }
});
