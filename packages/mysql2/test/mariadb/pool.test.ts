import type { EventEmitter } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as mariadb from 'mariadb';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import * as ours from '../../src/mariadb.js';
import { type Stack, startStack } from '../stack.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack[Symbol.asyncDispose]());

type Extra = Omit<mariadb.PoolConfig, 'password'>;

const makers: Readonly<Record<string, (extra: Extra) => mariadb.Pool>> = {
  'the plain connector': (extra) => {
    const { hostname, port } = stack.upstream;
    return mariadb.createPool({ host: hostname, port, user: stack.username, database: stack.database, ...extra });
  },
  '@rds-iam/mysql2/mariadb': (extra) => ours.createPool({ ...stack.config, ...extra }),
};

const open: mariadb.Pool[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((pool) => pool.closed || pool.end()));
});

/** The options that a pool has in addition to a connection's. If the type gets another, this list does not compile. */
type PoolOption = Exclude<keyof mariadb.PoolConfig, keyof mariadb.ConnectionConfig>;

type MakePool = (extra?: Extra) => mariadb.Pool;

const POOL_OPTIONS: Readonly<Record<PoolOption, (makePool: MakePool) => Promise<void>>> = {
  async acquireTimeout(makePool) {
    const pool = makePool({ connectionLimit: 1, acquireTimeout: 2_000 });
    const connection = await pool.getConnection();
    await expect(pool.getConnection()).rejects.toMatchObject({
      code: 'ER_GET_CONNECTION_TIMEOUT',
      message: expect.stringContaining('active=1 idle=0 limit=1'),
    });
    await connection.release();
  },
  async connectionLimit(makePool) {
    const pool = makePool({ connectionLimit: 2 });
    const [first, second] = await Promise.all([pool.getConnection(), pool.getConnection()]);
    const third = pool.getConnection();
    expect([pool.activeConnections(), pool.totalConnections(), pool.taskQueueSize()]).toEqual([2, 2, 1]);
    await first?.release();
    await (await third).release();
    await second?.release();
    expect(pool.totalConnections()).toBe(2);
  },
  async idleTimeout(makePool) {
    const pool = makePool({ connectionLimit: 3, minimumIdle: 1, idleTimeout: 0.001 });
    const connections = await Promise.all([pool.getConnection(), pool.getConnection(), pool.getConnection()]);
    await Promise.all(connections.map((connection) => connection.release()));
    await expect.poll(() => pool.totalConnections()).toBe(1);
  },
  async initializationTimeout(makePool) {
    const pool = makePool({ port: 1, initializationTimeout: 100, acquireTimeout: 60_000, connectTimeout: 50 });
    const failed = new Promise((resolve) => (pool as object as EventEmitter).once('error', resolve));
    const waiting = pool.getConnection().catch((error: unknown) => error);
    expect(await failed).toBeInstanceOf(Error);
    await pool.end();
    await waiting;
  },
  async leakDetectionTimeout(makePool) {
    const warning = vi.fn();
    const pool = makePool({ connectionLimit: 1, leakDetectionTimeout: 1, logger: { warning } });
    const connection = await pool.getConnection();
    await vi.waitFor(
      () => expect(warning).toHaveBeenCalledWith(expect.stringMatching(/possible connection leak/)),
      10_000,
    );
    await connection.release();
    expect(warning).toHaveBeenCalledWith(expect.stringMatching(/returned to pool/));
  },
  async minDelayValidation(makePool) {
    await using line = startLine();
    const pool = makePool({ connectionLimit: 1, minDelayValidation: 0, pingTimeout: 100, stream: line.stream });
    const first = await idOf(pool);
    expect(await idOf(pool)).toBe(first);
    line.fallSilent();
    expect(await idOf(pool), 'a silent connection is found out').not.toBe(first);
  },
  async minimumIdle(makePool) {
    const pool = makePool({ connectionLimit: 5, minimumIdle: 3 });
    await expect.poll(() => pool.idleConnections()).toBe(3);
    expect(pool.totalConnections()).toBe(3);
  },
  async noControlAfterUse(makePool) {
    const pool = makePool({ connectionLimit: 1, noControlAfterUse: true });
    const connection = await pool.getConnection();
    await connection.query('set @mark = 1');
    await connection.beginTransaction();
    await connection.release();
    expect(await pool.query('select @@in_transaction as n')).toMatchObject([{ n: 1n }]);
  },
  async pingTimeout(makePool) {
    await using line = startLine();
    const pool = makePool({
      ...{ connectionLimit: 1, minDelayValidation: 0, pingTimeout: 200, acquireTimeout: 5_000 },
      stream: line.stream,
    });
    const first = await idOf(pool);
    line.fallSilent();
    expect(await idOf(pool)).not.toBe(first);
  },
  async resetAfterUse(makePool) {
    for (const [resetAfterUse, left] of [
      [true, null],
      [false, 7n],
    ] as const) {
      const pool = makePool({ connectionLimit: 1, resetAfterUse });
      const connection = await pool.getConnection();
      await connection.query('set @mark = 7');
      await connection.release();
      expect(await pool.query('select @mark as mark')).toMatchObject([{ mark: left }]);
    }
  },
};

describe.each(Object.entries(makers))('a pool of %s', (_, make) => {
  const makePool: MakePool = (extra = {}) => {
    const pool = make(extra);
    open.push(pool);
    return pool;
  };
  // The pool's time-outs are not meant to include loading modules for a process's first login.
  beforeAll(async () => {
    const pool = make({ connectionLimit: 1 });
    await pool.query('select 1');
    await pool.end();
  });

  test.each(Object.entries(POOL_OPTIONS))('honors %s', (_, honors) => honors(makePool));

  test('rolls back an unfinished transaction at release', async () => {
    const pool = makePool({ connectionLimit: 1 });
    await pool.query('create or replace table account (name varchar(10), balance int)');
    await pool.query("insert into account values ('a', 100), ('b', 50)");
    const connection = await pool.getConnection();
    await expect(
      (async () => {
        try {
          await connection.beginTransaction();
          await connection.query("update account set balance = balance - 50 where name = 'a'");
          throw new Error('the transfer fails');
        } finally {
          await connection.release();
        }
      })(),
    ).rejects.toThrow('the transfer fails');
    const next = await pool.getConnection();
    await next.beginTransaction();
    await next.commit();
    expect(await next.query('select sum(balance) as total from account')).toMatchObject([{ total: '150' }]);
    await next.release();
  });

  test('takes back a connection whether it is released, ended or closed, and only once', async () => {
    const pool = makePool({ connectionLimit: 1 });
    for (const way of ['release', 'end', 'close'] as const) {
      const connection = await pool.getConnection();
      expect([pool.activeConnections(), pool.idleConnections()]).toEqual([1, 0]);
      await connection[way]();
      await connection.release();
      expect([pool.activeConnections(), pool.idleConnections()]).toEqual([0, 1]);
    }
  });

  test('replaces a connection that was destroyed', async () => {
    const pool = makePool({ connectionLimit: 1 });
    const connection = await pool.getConnection();
    const first = connection.threadId;
    connection.destroy();
    expect(await idOf(pool)).not.toBe(first);
    expect(pool.totalConnections()).toBe(1);
  });

  test('replaces a connection whose session the server ended', async () => {
    const pool = makePool({ connectionLimit: 2, minDelayValidation: 0 });
    const killer = await pool.getConnection();
    const victim = await pool.getConnection();
    const first = victim.threadId;
    await victim.release();
    await killer.query(`kill ${first}`);
    expect(await idOf(pool)).not.toBe(first);
    await killer.release();
  });

  test('serves waiting callers in order', async () => {
    const pool = makePool({ connectionLimit: 1 });
    const order: number[] = [];
    await Promise.all([1, 2, 3, 4].map((n) => pool.query('select 1').then(() => order.push(n))));
    expect(order).toEqual([1, 2, 3, 4]);
  });

  test('ends once, refuses later calls, and answers those that are waiting', async () => {
    const pool = makePool({ connectionLimit: 1, minimumIdle: 1 });
    const connection = await pool.getConnection();
    const waiting = pool.getConnection().catch((error: unknown) => error);
    const ended = pool.end();
    expect(await waiting).toMatchObject({ code: 'ER_CLOSING_POOL' });
    await connection.release();
    await ended;
    expect(pool.closed).toBe(true);
    await expect(pool.end()).rejects.toMatchObject({ code: 'ER_POOL_ALREADY_CLOSED' });
    await expect(pool.getConnection()).rejects.toMatchObject({ code: 'ER_POOL_ALREADY_CLOSED' });
    await expect(pool.query('select 1')).rejects.toMatchObject({ code: 'ER_POOL_ALREADY_CLOSED' });
  });

  test('escapes values and names, before and after it has a connection', async () => {
    const pool = makePool({ connectionLimit: 1 });
    const escaped = () => [
      pool.escape("it's"),
      pool.escape([1, 'a', null]),
      pool.escape(new Date(2020, 0, 2, 3, 4, 5)),
      pool.escape({ id: 2, first_name: 'test' }),
      pool.escapeId('a b`c'),
    ];
    const expected = ["'it\\'s'", "1,'a',NULL", "'2020-01-02 03:04:05'"];
    expect(escaped().slice(0, 3)).toEqual(expected);
    expect(escaped().at(-1)).toBe('`a b``c`');
    await pool.query('select 1');
    expect(escaped().slice(0, 3)).toEqual(expected);
    expect(escaped().at(-1)).toBe('`a b``c`');
  });

  test('runs a file of SQL', async () => {
    const pool = makePool({ connectionLimit: 1 });
    const file = join(tmpdir(), `rds-iam-${stack.username}.sql`);
    await writeFile(file, 'create or replace table from_file (n int);\ninsert into from_file values (4);\n');
    await pool.importFile({ file, database: stack.database });
    expect(await pool.query('select n from from_file')).toEqual([{ n: 4 }]);
    await expect(pool.importFile(undefined as never)).rejects.toMatchObject({ code: 'ER_MISSING_SQL_PARAMETER' });
  });

  test('emits its events', async () => {
    const pool = makePool({ connectionLimit: 1 });
    const heard: string[] = [];
    for (const event of ['connection', 'acquire', 'enqueue', 'release'] as const) {
      pool.on(event as 'acquire', (...[connection]: unknown[]) => {
        heard.push(`${event} ${typeof (connection as mariadb.Connection | undefined)?.query}`);
      });
    }
    const connection = await pool.getConnection();
    await connection.release();
    await expect.poll(() => heard.length).toBe(4);
    expect(heard.sort()).toEqual(['acquire function', 'connection function', 'enqueue undefined', 'release function']);
  });

  test("passes on the driver's errors for a query, an execute or a batch", async () => {
    const pool = makePool({ connectionLimit: 1 });
    await pool.query('create or replace table batched (n int)');
    await expect(pool.query('wrong query')).rejects.toMatchObject({ errno: 1064, code: 'ER_PARSE_ERROR' });
    await expect(pool.execute('wrong query')).rejects.toMatchObject({ errno: 1064 });
    await expect(pool.query(undefined as never)).rejects.toMatchObject({ code: 'ER_UNDEFINED_SQL' });
    await expect(pool.batch('insert into batched values (?)', undefined)).rejects.toMatchObject({
      code: 'ER_BATCH_WITH_NO_VALUES',
    });
    await pool.batch('insert into batched values (?)', [[1], [2], [3]]);
    expect(await pool.execute('select sum(n) as total from batched where n > ?', [1])).toMatchObject([{ total: '5' }]);
    expect(String(pool)).toContain('active=0 idle=1 limit=1');
  });
});

/** A relay for the connector's `stream` option that can be silenced, after which nothing passes any more. */
function startLine() {
  const relays: Server[] = [];
  const sockets: Socket[] = [];
  return {
    stream(this: unknown, callback: (error: undefined, stream: Socket) => void) {
      const { host, port } = this as { host: string; port: number };
      const relay = createServer((near) => {
        const far = connect(port, host);
        near.on('error', () => far.destroy()).pipe(far);
        far.on('error', () => near.destroy()).pipe(near);
        sockets.push(near, far);
      });
      relays.push(relay);
      relay.listen(0, '127.0.0.1', () => {
        callback(undefined, connect((relay.address() as AddressInfo).port, '127.0.0.1'));
      });
    },
    fallSilent() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      for (const relay of relays) relay.close();
    },
  };
}

async function idOf(pool: mariadb.Pool): Promise<unknown> {
  const [{ id }] = await pool.query<[{ id: unknown }]>('select connection_id() as id');
  return Number(id);
}
