import { count, startStack } from '@rds-iam/conformance';
import type { ConnectionLimiter } from '@rds-iam/core';
import { Pool } from '@rds-iam/pg';
import { Cluster } from 'ioredis';
import { createCluster } from 'redis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type RedisClient, redisLimiter } from '../src/index.js';
import { type RedisCluster, startRedisCluster } from './redis-cluster.js';

const INSTANCE = { hostname: 'db', port: 5432 };
const KEY = 'rds-iam:db:5432';
const PROCESSES = 8;

const CLIENTS: readonly [string, (cluster: RedisCluster) => RedisClient][] = [
  [
    "ioredis's Cluster",
    ({ nodes }) => {
      const client = new Cluster([...nodes]);
      client.on('error', () => {});
      onTestFinished(() => client.disconnect());
      return client;
    },
  ],
  [
    "node-redis's createCluster",
    ({ nodes }) => {
      const client = createCluster({
        rootNodes: nodes.map(({ host, port }) => ({ url: `redis://${host}:${port}` })),
        defaults: { socket: { reconnectStrategy: () => 20 } },
      });
      client.on('error', () => {});
      client.connect().catch(() => {});
      onTestFinished(() => client.destroy());
      return client;
    },
  ],
];

describe.each(CLIENTS)('with %s', (_, open) => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  }, 120_000);
  afterAll(() => cluster[Symbol.asyncDispose]());

  const limiters = () =>
    Array.from({ length: PROCESSES }, () => redisLimiter({ client: open(cluster), timeoutMs: 30_000 }));
  /** All reserve one connection each at the same time; no two get the same slot. */
  async function expectDistinctSlots(members: readonly ConnectionLimiter[], connectionsPerSecond: number) {
    const startedAt = performance.now();
    const waits = (
      await Promise.all(
        Array.from({ length: 5 * PROCESSES }, (_unused, index) =>
          (members[index % PROCESSES] as ConnectionLimiter).reserve({ ...INSTANCE, connectionsPerSecond, count: 1 }),
        ),
      )
    ).sort((a, b) => a - b);
    const tookMs = performance.now() - startedAt;
    // All other slots are between the first and the last.
    expect((waits.at(-1) ?? 0) - (waits[0] ?? 0)).toBeGreaterThan(
      ((waits.length - 1) * 1_000) / connectionsPerSecond - tookMs - 1,
    );
  }

  test('eight clients share one limit, wherever the key is', async () => {
    await expectDistinctSlots(limiters(), 1);
  });

  test("MOVED and ASK: the key's slot moves to another node in the meantime", async () => {
    const members = limiters();
    const from = await cluster.masterOf(KEY);
    const slot = String(await cluster.call(from, 'CLUSTER', 'KEYSLOT', KEY));
    const ids = new Map<number, string>();
    for (const { port } of cluster.nodes) ids.set(port, String(await cluster.call(port, 'CLUSTER', 'MYID')));
    const masters = [];
    for (const { port } of cluster.nodes) {
      const [role] = (await cluster.call(port, 'ROLE')) as [string];
      if (role === 'master') masters.push(port);
    }
    const to = masters.find((port) => port !== from) as number;
    await cluster.call(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids.get(from) as string);
    await cluster.call(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids.get(to) as string);
    await cluster.call(from, 'MIGRATE', '127.0.0.1', String(to), KEY, '0', '1000');
    // From here on, the first node answers ASK, because the key is gone from there,
    await expectDistinctSlots(members, 1);
    for (const port of masters) await cluster.call(port, 'CLUSTER', 'SETSLOT', slot, 'NODE', ids.get(to) as string);
    expect(await cluster.masterOf(KEY)).toBe(to);
    // and MOVED from here on.
    await expectDistinctSlots(members, 1);
  });

  test('after a failover of the node with the key, reservations work again', async () => {
    const members = limiters();
    await expectDistinctSlots(members, 1_000);
    const failing = await cluster.masterOf(KEY);
    await cluster.kill(failing);
    // Requests in the meantime fail, or are answered by the new master: either way nothing is left hanging.
    const meanwhile = await Promise.allSettled(
      members.map((member) => member.reserve({ ...INSTANCE, connectionsPerSecond: 1_000, count: 1 })),
    );
    expect(meanwhile).toHaveLength(PROCESSES);
    const recovered = async () => {
      const outcomes = await Promise.allSettled(
        members.map((member) => member.reserve({ ...INSTANCE, connectionsPerSecond: 1_000, count: 1 })),
      );
      return outcomes.every(({ status }) => status === 'fulfilled');
    };
    await expect.poll(recovered, { timeout: 60_000, interval: 200 }).toBe(true);
    await expectDistinctSlots(members, 1);
  }, 120_000);

  test('with a cluster that is down, connections go on', async () => {
    await using stack = await startStack('postgres');
    const { emulator, username: user, database } = stack;
    const client = open(cluster);
    const limiter = redisLimiter({ client, fleetSize: PROCESSES });
    await expect
      .poll(() => limiter.reserve({ ...INSTANCE, connectionsPerSecond: 1_000, count: 1 }))
      .toBeTypeOf('number');
    for (const { port } of cluster.nodes) await cluster.kill(port);
    const iam = { ...stack.iam, maxConnectionsPerSecond: 1_000, limiter };
    const pool = new Pool({ host: 'localhost', port: emulator.port, user, database, iam });
    const unavailable = count('rds-iam:limiter:unavailable');
    await Promise.all(Array.from({ length: 5 }, () => pool.query('select 1')));
    expect(unavailable()).toBeGreaterThan(0);
    await pool.end();
  });
});
