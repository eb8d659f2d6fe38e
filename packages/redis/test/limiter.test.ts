import { performance } from 'node:perf_hooks';
import type { ConnectionLimiter } from '@rds-iam/core';
import { type RedisServer, startRedis } from '@rds-iam/test-servers';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { redisLimiter } from '../src/index.js';
import { ALL, type Application, opened } from './clients.js';

const INSTANCE = { hostname: 'db', port: 5432 };
const KEY = 'rds-iam:db:5432';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.close());

/** Makes a few reservations. @returns the waits and the time it took, which is the most that the waits can be short by */
async function timed(reserve: () => Promise<number>[]): Promise<{ waits: number[]; tookMs: number }> {
  const startedAt = performance.now();
  const waits = await Promise.all(reserve());
  return { waits: waits.sort((a, b) => a - b), tookMs: performance.now() - startedAt };
}

describe.each(ALL)('with %s', (_, open) => {
  let application: Application;
  beforeEach(async () => {
    application = await opened(open, redis.url);
    await application.call('FLUSHALL');
  });

  test('two processes get slots that are evenly spaced at the rate, and no slot twice', async () => {
    const limiters = [application, await opened(open, redis.url)].map(({ client }) => redisLimiter({ client }));
    const { waits, tookMs } = await timed(() =>
      Array.from({ length: 20 }, (_unused, index) =>
        (limiters[index % 2] as ConnectionLimiter).reserve({ ...INSTANCE, connectionsPerSecond: 10, count: 1 }),
      ),
    );
    for (const [index, wait] of waits.entries()) {
      expect(wait).toBeLessThanOrEqual(index * 100);
      expect(wait).toBeGreaterThan(index * 100 - tookMs);
    }
  });

  test('a reservation for several connections takes as many slots, at any rate', async () => {
    const limiter = redisLimiter({ client: application.client });
    const { waits, tookMs } = await timed(() => [
      limiter.reserve({ ...INSTANCE, connectionsPerSecond: 190, count: 950 }),
      limiter.reserve({ ...INSTANCE, connectionsPerSecond: 1, count: 2 }),
      limiter.reserve({ ...INSTANCE, connectionsPerSecond: 1, count: 1 }),
    ]);
    for (const [index, dueMs] of [0, 5_000, 7_000].entries()) {
      expect(waits[index]).toBeLessThanOrEqual(dueMs);
      expect(waits[index]).toBeGreaterThan(dueMs - tookMs);
    }
  });

  test('many reservations do not drift from the rate', async () => {
    const limiter = redisLimiter({ client: application.client });
    // 1/190 s is not a whole number of microseconds.
    const { waits, tookMs } = await timed(() =>
      Array.from({ length: 191 }, () => limiter.reserve({ ...INSTANCE, connectionsPerSecond: 190, count: 10 })),
    );
    expect(waits[190]).toBeLessThanOrEqual(10_001);
    expect(waits[190]).toBeGreaterThan(10_000 - tookMs);
  });

  test('keeps one key for each instance, which expires when its slots have passed', async () => {
    const limiter = redisLimiter({ client: application.client });
    await limiter.reserve({ ...INSTANCE, connectionsPerSecond: 1, count: 60 });
    await limiter.reserve({ hostname: 'other', port: 3306, connectionsPerSecond: 1_000, count: 1 });
    expect(await application.call('PTTL', KEY)).toSatisfy((ttl: number) => ttl > 50_000 && ttl <= 60_000);
    await expect.poll(() => application.call('KEYS', '*')).toEqual([KEY]);
  });

  test('instances and prefixes have limits of their own', async () => {
    const request = { connectionsPerSecond: 1, count: 60 };
    const limiter = redisLimiter({ client: application.client });
    await limiter.reserve({ ...INSTANCE, ...request });
    expect(await limiter.reserve({ ...INSTANCE, ...request })).toBeGreaterThan(0);
    expect(await limiter.reserve({ hostname: 'db', port: 5433, ...request })).toBe(0);
    expect(await limiter.reserve({ hostname: 'other', port: 5432, ...request })).toBe(0);
    const elsewhere = redisLimiter({ client: application.client, keyPrefix: '' });
    expect(await elsewhere.reserve({ ...INSTANCE, ...request })).toBe(0);
    expect(await application.call('EXISTS', 'db:5432')).toBe(1);
  });

  test('waits for a client that is still connecting', async () => {
    const { client } = open(redis.url);
    // Connecting may take longer than the default on a busy machine.
    const limiter = redisLimiter({ client, timeoutMs: 10_000 });
    expect(await limiter.reserve({ ...INSTANCE, connectionsPerSecond: 1, count: 1 })).toBe(0);
  });

  test('only needs access to its keys and four commands', async () => {
    await application.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~rds-iam:*', '+eval', '+time', '+get', '+set');
    const { port } = redis;
    const { client } = await opened(open, `redis://app:secret@127.0.0.1:${port}`);
    const limiter = redisLimiter({ client });
    expect(await limiter.reserve({ ...INSTANCE, connectionsPerSecond: 1, count: 1 })).toBe(0);
    await application.call('ACL', 'SETUSER', 'app', '-get');
    await expect(limiter.reserve({ ...INSTANCE, connectionsPerSecond: 1, count: 1 })).rejects.toThrow();
  });

  test('refuses an invalid answer', async () => {
    await application.call('SET', KEY, 'something else');
    const reserved = redisLimiter({ client: application.client }).reserve({
      ...INSTANCE,
      connectionsPerSecond: 1,
      count: 1,
    });
    await expect(reserved).rejects.toThrow();
  });
});

test('works with an ioredis client that returns numbers as strings', async () => {
  const client = new Redis(redis.url, { stringNumbers: true });
  onTestFinished(() => client.disconnect());
  await client.flushall();
  expect(await redisLimiter({ client }).reserve({ ...INSTANCE, connectionsPerSecond: 1, count: 1 })).toBe(0);
});
