import { connect } from 'node:net';
import type { RowDataPacket } from 'mysql2';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import * as callbacks from '../src/index.js';
import * as connector from '../src/mariadb.js';
import { createConnection, createPool, createPoolCluster, createRdsIam } from '../src/promise.js';
import { type Stack, socketOf, startStack } from './stack.js';
import { WAYS } from './ways.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterEach(async () => {
  stack.emulator.setFaults({});
  await vi.waitFor(() => expect(stack.emulator.stats.open, 'no connection outlives its test').toBe(0), 10_000);
});
afterAll(() => stack[Symbol.asyncDispose]());

const one = async (query: Promise<[unknown, ...unknown[]]>) => ((await query)[0] as RowDataPacket[])[0];

describe("mysql2's features work:", () => {
  test('prepared statements, several statements, named placeholders, date strings', async () => {
    const pool = createPool({
      ...stack.config,
      multipleStatements: true,
      namedPlaceholders: true,
      dateStrings: true,
      connectAttributes: { program: 'shop' },
    });
    expect(await one(pool.execute('select ? + 1 as two', [1]))).toEqual({ two: 2 });
    expect((await pool.query<RowDataPacket[]>('select 1; select 2'))[0]).toHaveLength(2);
    expect(await one(pool.query('select :a as a', { a: 'b' }))).toEqual({ a: 'b' });
    expect(await one(pool.query("select date '2020-01-02' as d"))).toEqual({ d: '2020-01-02' });
    await pool.end();
  });

  test('the id of its session, to kill a query by', async () => {
    const connection = await createConnection(stack.config);
    expect(await one(connection.query('select connection_id() as id'))).toEqual({ id: connection.threadId });
    await connection.end();
  });

  test('rows of megabytes in both directions, and streams that are read slowly', async () => {
    const connection = callbacks.createConnection(stack.config);
    const long = 'x'.repeat(3_000_000);
    const [rows] = await connection.promise().query<RowDataPacket[]>('select ? as long_text', [long]);
    expect(rows[0]?.['long_text']).toBe(long);
    let count = 0;
    const numbers =
      'with recursive n(i) as (select 1 union all select i + 1 from n where i < 900) select i, repeat(?, 5000) as t from n';
    for await (const row of connection.query(numbers, ['y']).stream({ highWaterMark: 1 })) {
      expect(row.i).toBe(++count);
      if (count % 300 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(count).toBe(900);
    await connection.promise().end();
  });

  test('a change of user, with a token of its own', async () => {
    const connection = await createConnection(stack.config);
    await connection.changeUser({ user: stack.username });
    expect(await one(connection.query('select 1 as one'))).toEqual({ one: 1 });
    await connection.end();
  });

  test("the user's own stream", async () => {
    const dialed: number[] = [];
    const pool = createPool({
      ...stack.config,
      stream: ({ config }: { config: { host: string; port: number } }) => {
        dialed.push(config.port);
        return connect(config.port, config.host);
      },
    });
    await pool.query('select 1');
    expect(dialed).toEqual([stack.config.port]);
    await pool.end();
  });

  test('queries that were queued before it was connected, and an end queued after them', async () => {
    const connection = callbacks.createConnection(stack.config);
    const rows = new Promise((resolve, reject) => {
      connection.query('select 1 as one', (error, result) => (error ? reject(error) : resolve(result)));
    });
    connection.end();
    expect(await rows).toEqual([{ one: 1 }]);
  });

  test('events of the pool and its promise API', async () => {
    const pool = callbacks.createPool(stack.config);
    const events: string[] = [];
    for (const event of ['connection', 'acquire', 'release']) pool.on(event, () => events.push(event));
    await pool.promise().query('select 1');
    await vi.waitFor(() => expect(events).toEqual(['connection', 'acquire', 'release']), 10_000);
    await pool.promise().end();
  });

  test('connections that the server dropped are replaced', async () => {
    const pool = createPool({ ...stack.config, connectionLimit: 2 });
    await Promise.all([pool.query('select sleep(0.01)'), pool.query('select sleep(0.01)')]);
    expect(stack.emulator.dropConnections()).toBe(2);
    await vi.waitFor(() => expect(stack.emulator.stats.open).toBe(0), 10_000);
    await vi.waitFor(async () => expect(await one(pool.query('select 1 as one'))).toEqual({ one: 1 }), 10_000);
    await pool.end();
  });

  test('clusters, each node with tokens for its own endpoint', async () => {
    await using reader = await startStack();
    const cluster = createPoolCluster({ iam: createRdsIam(stack.iam) });
    cluster.add('writer', { host: 'localhost', port: stack.config.port, user: stack.username });
    cluster.add('reader', `mysql://${reader.username}@localhost:${reader.config.port}/${reader.database}`);
    cluster.add('reader-with-its-own', { ...reader.config, iam: reader.iam });
    const name = async (node: string) => (await one(cluster.of(node).query('select current_user() as name')))?.['name'];
    expect(await name('writer')).toContain(stack.username);
    expect(await name('reader-with-its-own')).toContain(reader.username);
    await expect(cluster.of('reader').query('select 1'), 'the CA of the other emulator').rejects.toMatchObject({
      code: 'ERR_RDS_IAM_TLS',
      port: reader.config.port,
    });
    await cluster.end();
  });

  test('TLS 1.3, which callers can inspect', async () => {
    const connection = await createConnection(stack.config);
    expect(socketOf(connection).getProtocol()).toBe('TLSv1.3');
    await connection.end();
  });
});

describe('TLS sessions', () => {
  test('are resumed by later connections, also for a change of user', async () => {
    const iam = createRdsIam(stack.iam);
    const reused: (boolean | undefined)[] = [];
    for (let count = 0; count < 3; count++) {
      const connection = await createConnection({ ...stack.config, iam });
      reused.push(socketOf(connection).isSessionReused());
      await connection.changeUser({ user: stack.username });
      expect(await one(connection.query('select 1 as one'))).toEqual({ one: 1 });
      await connection.end();
    }
    expect(reused).toEqual([false, true, true]);
  });

  test('do not help a server with another certificate', async () => {
    const iam = createRdsIam(stack.iam);
    await (await createConnection({ ...stack.config, iam })).end();
    for (const tls of ['other-ca', 'wrong-name', 'expired'] as const) {
      stack.emulator.setFaults({ tls });
      const { accepted, refused } = stack.emulator.stats;
      await expect(createConnection({ ...stack.config, iam })).rejects.toMatchObject({ code: 'ERR_RDS_IAM_TLS' });
      expect(stack.emulator.stats).toMatchObject({ accepted, refused });
    }
  });
});

describe('retry', () => {
  const patient = (iam: Stack['iam']) => ({
    ...iam,
    retry: { baseDelayMs: 60_000, maxDelayMs: 60_000, timeoutMs: 600_000 },
  });
  const reset = { throttle: { connectionsPerSecond: 0, action: 'reset', counting: 'logins' } } as const;

  test.each(Object.entries(WAYS))('covers %s', async (_, connectBy) => {
    stack.emulator.setFaults(reset);
    const before = stack.emulator.stats.connections;
    const outcome = connectBy(stack.config);
    await vi.waitFor(() => expect(stack.emulator.stats.connections - before).toBeGreaterThan(2), 10_000);
    stack.emulator.setFaults({});
    expect(await outcome).toBeUndefined();
  });

  test.each(Object.entries(WAYS))('lasts no longer than connectTimeout, with %s', async (_, connectBy) => {
    stack.emulator.setFaults({ hang: 'before-authentication' });
    expect(await connectBy({ ...stack.config, connectTimeout: 200 })).toMatchObject({
      code: 'ERR_RDS_IAM_UNREACHABLE',
      username: stack.username,
      message: expect.stringContaining('all that "connectTimeout" allows'),
      cause: { kind: 'timed-out' },
    });
  });

  test.each(['acquireTimeout', 'initializationTimeout'])("nor than the connector's %s", async (option) => {
    stack.emulator.setFaults({ hang: 'before-authentication' });
    const pool = connector.createPool({ ...stack.config, [option]: 300 });
    await expect(pool.getConnection()).rejects.toMatchObject({
      code: 'ERR_RDS_IAM_UNREACHABLE',
      message: expect.stringContaining(`all that "${option}" allows`),
    });
    await pool.end();
  });

  test.each([
    ['of mysql2', createPool],
    ['of the mariadb connector', connector.createPool],
  ])('ends with the pool %s', async (_, create) => {
    stack.emulator.setFaults(reset);
    const before = stack.emulator.stats.connections;
    const pool = create({ ...stack.config, iam: patient(stack.iam) });
    const checkout = pool.getConnection().catch((error: unknown) => error);
    await vi.waitFor(() => expect(stack.emulator.stats.connections).toBeGreaterThan(before), 10_000);
    await pool.end();
    expect(await checkout).toBeInstanceOf(Error);
  });

  test('ends with the cluster, or when its node is removed', async () => {
    stack.emulator.setFaults(reset);
    for (const end of ['end', 'remove'] as const) {
      const before = stack.emulator.stats.connections;
      const cluster = callbacks.createPoolCluster({ canRetry: false });
      cluster.add('node', { ...stack.config, iam: patient(stack.iam) });
      const failure = new Promise((resolve) => cluster.getConnection('node', (error) => resolve(error)));
      await vi.waitFor(() => expect(stack.emulator.stats.connections).toBeGreaterThan(before), 10_000);
      if (end === 'end') await new Promise<void>((resolve) => cluster.end(() => resolve()));
      else cluster.remove('node');
      expect(await failure).toBeInstanceOf(Error);
    }
  });

  test('ends with a connection that is destroyed, at any point', async () => {
    for (const after of [0, 1, 2, 5, 10, 20, 40]) {
      const connection = callbacks.createConnection(stack.config);
      connection.on('error', () => {});
      for (let turn = 0; turn < after; turn++) await new Promise((resolve) => setImmediate(resolve));
      connection.destroy();
    }
    await vi.waitFor(() => expect(stack.emulator.stats.open).toBe(0), 10_000);
    await vi.waitFor(async () => expect(await stack.sessions()).toBe(0), 10_000);
  });
});

describe('the pool of the mariadb connector', () => {
  test('replaces connections that the server dropped', async () => {
    const pool = connector.createPool({ ...stack.config, connectionLimit: 1 });
    await pool.query('select 1');
    expect(stack.emulator.dropConnections()).toBe(1);
    await vi.waitFor(() => expect(pool.totalConnections()).toBe(0), 10_000);
    expect((await pool.execute('select ? as one', [1]))[0]).toEqual({ one: 1 });
    await pool.end();
  });

  test('is the connector itself when IAM is off', async () => {
    const { hostname: host, port } = stack.upstream;
    const pool = connector.createPool({ host, port, user: stack.username, password: '', iam: { enabled: false } });
    expect((await pool.query('select 1 as one'))[0]).toEqual({ one: 1 });
    await pool.end();
    const uri = `mariadb://${stack.username}@${host}:${port}/${stack.database}`;
    const byUri = connector.createPool({ uri, iam: { enabled: false } } as object);
    expect(await byUri.query('select 1 as one')).toHaveLength(1);
    await byUri.end();
  });
});
