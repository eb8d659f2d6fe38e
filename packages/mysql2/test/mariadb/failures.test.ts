import { once } from 'node:events';
import { isRdsIamError } from '@rds-iam/core';
import type * as mariadb from 'mariadb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPool, createPoolCluster, importFile } from '../../src/mariadb.js';
import { type Stack, startStack } from '../stack.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack[Symbol.asyncDispose]());

const idOf = async (of: Pick<mariadb.Pool, 'query'>) => {
  const [{ id }] = await of.query<[{ id: unknown }]>('select connection_id() as id');
  return Number(id);
};

/** With the connector's defaults, a test would wait ten seconds if the reason were not reported at once. */
const failures = async (pool: mariadb.Pool) => {
  const asked = [
    pool.getConnection(),
    pool.query('select 1'),
    pool.execute('select 1'),
    pool.batch('insert into t values (?)', [[1]]),
    pool.importFile({ file: '/nowhere.sql' }),
  ];
  const results = await Promise.allSettled<unknown>(asked);
  return results.map((result) => result.status === 'rejected' && result.reason);
};

test('callers who wait for a pool that cannot log in are told why, and each later call tries again', async () => {
  const pool = createPool({ ...stack.config, database: 'nowhere' });
  const heard: unknown[] = [];
  pool.on('error' as 'enqueue', (...[error]: unknown[]) => heard.push(error));
  for (const round of [1, 2]) {
    const before = stack.emulator.stats.connections;
    for (const error of await failures(pool)) {
      expect(error).toMatchObject({ name: 'RdsIamError', attempts: 1, cause: { errno: 1044 } });
      expect((error as Error).message).not.toContain('pool connections');
    }
    expect(stack.emulator.stats.connections - before, 'one login for all of them').toBe(1);
    expect(heard).toHaveLength(round);
    expect([pool.totalConnections(), pool.taskQueueSize()]).toEqual([0, 0]);
  }
  await pool.end();
  await expect(pool.end()).rejects.toMatchObject({ code: 'ER_POOL_ALREADY_CLOSED' });
  await expect(pool.query('select 1')).rejects.toMatchObject({ code: 'ER_POOL_ALREADY_CLOSED' });
});

test('a waiting caller gets a released connection even if no other can be opened', async () => {
  const tried = new AbortController();
  let dials = 0;
  const pool = createPool({
    ...stack.config,
    iam: { ...stack.config.iam, retry: false },
    connectionLimit: 2,
    minimumIdle: 1,
    stream: (callback: mariadb.StreamCallback) => {
      if (++dials === 1) return callback();
      tried.abort();
      return callback(new Error('no way there'));
    },
  } as never);
  const connection = await pool.getConnection();
  const waiting = pool.query('select 2 as n');
  // The pool may have tried already, to have an idle connection again.
  if (!tried.signal.aborted) await once(tried.signal, 'abort');
  await connection.release();
  expect(await waiting).toEqual([{ n: 2 }]);
  await pool.end();
});

test('a caller who waits in vain while a login fails is told about that login', async () => {
  let dials = 0;
  const pool = createPool({
    ...stack.config,
    iam: { ...stack.config.iam, retry: false },
    ...{ connectionLimit: 2, minimumIdle: 1, acquireTimeout: 1_000 },
    stream: (callback: mariadb.StreamCallback) => (++dials === 1 ? callback() : callback(new Error('no way there'))),
  } as never);
  const connection = await pool.getConnection();
  const error = await pool.getConnection().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ name: 'RdsIamError', cause: { message: 'no way there' } });
  await connection.release();
  await pool.end();
});

test('the end of a pool ends the logins under way', async () => {
  const dialed = new AbortController();
  const pool = createPool({
    ...stack.config,
    stream: () => dialed.abort(),
  } as never);
  const waiting = pool.query('select 1').catch((error: unknown) => error);
  await once(dialed.signal, 'abort');
  await pool.end();
  expect(await waiting).toMatchObject({ code: 'ER_CLOSING_POOL' });
});

test('a connection to a server that has become read-only is replaced', async () => {
  const pool = createPool({ ...stack.config, connectionLimit: 1 });
  const readOnly = (errno: number) =>
    `begin not atomic signal sqlstate 'HY000' set mysql_errno = ${errno}, message_text = 'running with --read-only'; end`;
  let id = await idOf(pool);
  for (const errno of [1290, 1792, 1836]) {
    await expect(pool.query(readOnly(errno))).rejects.toMatchObject({ errno });
    const next = await idOf(pool);
    expect(next).not.toBe(id);
    id = next;
  }
  const connection = await pool.getConnection();
  await connection.beginTransaction();
  await expect(connection.query(readOnly(1290))).rejects.toMatchObject({ errno: 1290 });
  await connection.rollback();
  await connection.release();
  expect(await idOf(pool)).not.toBe(id);
  await pool.end();
});

test('other errors leave a connection in its pool, and reach the logger', async () => {
  const logged: unknown[] = [];
  const pool = createPool({ ...stack.config, connectionLimit: 1, logger: { error: (error) => logged.push(error) } });
  const id = await idOf(pool);
  await expect(pool.query('wrong query')).rejects.toMatchObject({ errno: 1064 });
  expect(await idOf(pool)).toBe(id);
  expect(logged).toMatchObject([{ errno: 1064 }]);
  await pool.end();
});

test('each node of a cluster logs in, with the iam of the cluster or its own', async () => {
  const { iam, ...plain } = stack.config;
  const cluster = createPoolCluster({ iam, removeNodeErrorCount: 1 });
  cluster.add('one', { ...plain, connectionLimit: 1 } as never);
  cluster.add('two', { ...plain, iam, connectionLimit: 1 });
  for (const node of ['one', 'two']) {
    expect(await idOf(cluster.of(node))).toBeGreaterThan(0);
    const connection = await cluster.getConnection(node);
    await connection.release();
  }
  expect(() => cluster.add('three', { ...stack.config, password: 'x' } as never)).toThrow('"password"');
  await cluster.end();
});

test('a cluster says why a login failed', async () => {
  const cluster = createPoolCluster({ canRetry: false });
  cluster.add('one', { ...stack.config, database: 'nowhere', acquireTimeout: 500 });
  const error = await cluster.getConnection('one').catch((reason: unknown) => reason);
  expect(isRdsIamError(error)).toBe(true);
  await cluster.end();
});

test('importFile logs in, and says why a login failed', async () => {
  await expect(importFile({ ...stack.config, file: '/nowhere.sql' })).rejects.toThrow(/nowhere\.sql/);
  await expect(importFile({ ...stack.config, database: 'nowhere', file: '/nowhere.sql' })).rejects.toMatchObject({
    name: 'RdsIamError',
  });
});

test('a process goes on after pool errors that nobody listened for', async () => {
  const pool = createPool({ ...stack.config, database: 'nowhere' });
  const [error] = await once(pool as never, 'error');
  expect(isRdsIamError(error)).toBe(true);
  await pool.end();
});
