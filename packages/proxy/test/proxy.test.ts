import { type Stack, startStack } from '@rds-iam/conformance';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ProxyEvent, startProxy } from '../src/index.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack('postgres');
});
afterAll(() => stack[Symbol.asyncDispose]());

test('a client with the password of the port is logged in with IAM', async () => {
  const events: ProxyEvent[] = [];
  const { host: hostname, port, user: username, database, iam } = stack.config;
  await using proxy = await startProxy({
    targets: [{ engine: 'postgres', hostname, port, username, database }],
    iam,
    onEvent: (event) => events.push(event),
  });
  const [listener] = proxy.listeners;
  const at = listener?.listening;
  if (!at || !('port' in at)) throw new Error('not at a port');
  const client = new pg.Client({ host: at.address, port: at.port, user: username, password: proxy.password, database });
  await client.connect();
  const { rows } = await client.query('select current_user as name');
  expect(rows).toEqual([{ name: username }]);
  await client.end();
  await expect.poll(() => events.map(({ type }) => type)).toEqual(['login', 'logout']);

  const wrong = new pg.Client({ host: at.address, port: at.port, user: username, password: 'wrong', database });
  await expect(wrong.connect()).rejects.toMatchObject({ code: '28P01' });
  expect(proxy.stats).toMatchObject({ logins: 1, refused: { password: 1 } });
});
