import { type CompressingRelay, startCompressingRelay } from '@rds-iam/conformance';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as callbacks from '../src/index.js';
import * as connector from '../src/mariadb.js';
import { createPool } from '../src/promise.js';
import { CREDENTIALS, REGION, type Stack, startStack } from './stack.js';

const LONG = 'a text that compresses well, '.repeat(100_000);

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack[Symbol.asyncDispose]());

const optionsFor = ({ port, ca }: CompressingRelay) => ({
  ...{ host: 'localhost', port, user: stack.username, database: stack.database },
  iam: { region: REGION, credentials: CREDENTIALS, ca, retry: false as const },
});

interface Session {
  query(sql: string, values: unknown[]): Promise<unknown>;
  end(): Promise<void>;
}

const WAYS: Readonly<Record<string, (options: object) => Promise<Session>>> = {
  async mysql2(options) {
    const pool = callbacks.createPool(options).promise();
    return { query: async (sql, values) => (await pool.query(sql, values))[0], end: () => pool.end() };
  },
  async 'mysql2/promise'(options) {
    const pool = createPool(options);
    return { query: async (sql, values) => (await pool.query(sql, values))[0], end: () => pool.end() };
  },
  async mariadb(options) {
    const pool = connector.createPool(options);
    return { query: (sql, values) => pool.query(sql, values), end: () => pool.end() };
  },
};

test.each(Object.entries(WAYS))('%s: a session is compressed if the option asks for it', async (_, open) => {
  await using relay = await startCompressingRelay(stack);
  const bytes: number[] = [];
  for (const compress of [false, true]) {
    const before = relay.sent;
    const session = await open({ ...optionsFor(relay), compress });
    // Sequentially, and two at once over two connections.
    expect(await session.query('select ? as text', [LONG])).toEqual([{ text: LONG }]);
    const both = await Promise.all([LONG, 'short'].map((text) => session.query('select ? as text', [text])));
    expect(both).toEqual([[{ text: LONG }], [{ text: 'short' }]]);
    await session.end();
    bytes.push(relay.sent - before);
    if (!compress) expect(relay.compressed).toBe(0);
  }
  expect(relay.compressed).toBeGreaterThan(0);
  const [plain = 0, compressed = 0] = bytes;
  expect(compressed).toBeLessThan(plain / 10);
});

test.each(Object.entries(WAYS))(
  '%s: with a server that does not compress, a session is not compressed',
  async (name, open) => {
    const session = await open({ ...stack.config, compress: true });
    expect(await session.query('select ? as text', [name])).toEqual([{ text: name }]);
    await session.end();
  },
);

test('connections of one driver, with compression and without', async () => {
  await using relay = await startCompressingRelay(stack);
  const { iam, ...options } = optionsFor(relay);
  const driver = callbacks.mysql2Driver(callbacks.createRdsIam(iam));
  for (const compress of [true, false, true]) {
    const before = relay.compressed;
    const connection = driver.createConnection({ ...options, compress }).promise();
    expect((await connection.query('select ? as text', [LONG]))[0]).toEqual([{ text: LONG }]);
    await connection.end();
    expect(relay.compressed - before).toBe(compress ? 1 : 0);
  }
});

test('a pool whose server learns to compress', async () => {
  let offers = false;
  await using relay = await startCompressingRelay(stack, () => offers);
  const pool = createPool({ ...optionsFor(relay), compress: true });
  for (const _ of ['without', 'with']) {
    const connection = await pool.getConnection();
    expect((await connection.query('select ? as text', [LONG]))[0]).toEqual([{ text: LONG }]);
    connection.destroy();
    offers = true;
  }
  await pool.end();
});
