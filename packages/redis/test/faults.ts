import { listen, startStack } from '@rds-iam/conformance';
import type { RdsIamEvents } from '@rds-iam/core';
import { Pool } from '@rds-iam/pg';
import { type RedisServer, startRedis } from '@rds-iam/test-servers';
import { expect, onTestFinished, test } from 'vitest';
import { redisLimiter } from '../src/index.js';
import { type Application, type Open, opened } from './clients.js';
import { startFaultProxy } from './fault-proxy.js';

const LIMIT = 1_000;
const FLEET_SIZE = 4;
export const TIMEOUT_MS = 100;
/** What a busy machine may add to a wait. It is less than ten time-outs in a row, which the bounds have to rule out. */
const SLACK_MS = 750;

type Unavailable = RdsIamEvents['rds-iam:limiter:unavailable'];

export async function startedRedis(): Promise<RedisServer> {
  const redis = await startRedis();
  onTestFinished(() => redis.close());
  return redis;
}

/** A database with a pool whose limiter uses this client. */
export async function startDatabase({ client }: Application) {
  const stack = await startStack('postgres');
  const { emulator, username: user, database } = stack;
  const limiter = redisLimiter({ client, fleetSize: FLEET_SIZE });
  const iam = { ...stack.iam, maxConnectionsPerSecond: LIMIT, limiter };
  const pool = new Pool({ host: 'localhost', port: emulator.port, user, database, iam, max: 40 });
  onTestFinished(async () => {
    await pool.end();
    await stack[Symbol.asyncDispose]();
  });
  const unavailable: Unavailable[] = [];
  listen('rds-iam:limiter:unavailable', (event) => unavailable.push(event));
  let waitedMs: number[] = [];
  listen('rds-iam:connection:admitted', (event) => waitedMs.push(event.waitedMs));

  /** Opens this many physical connections at once. @returns the longest wait for a permit */
  async function connect(count: number): Promise<number> {
    waitedMs = [];
    const clients = await Promise.all(Array.from({ length: count }, () => pool.connect()));
    for (const connected of clients) connected.release(true);
    expect(waitedMs).toHaveLength(count);
    return Math.max(...waitedMs);
  }
  return {
    unavailable,
    connect,
    async expectOwnShare() {
      expect(await connect(10)).toBeLessThan(TIMEOUT_MS + SLACK_MS);
      expect(unavailable.length).toBeGreaterThan(0);
      for (const { hostname, port, connectionsPerSecond } of unavailable) {
        expect({ hostname, port }).toEqual({ hostname: 'localhost', port: emulator.port });
        expect(connectionsPerSecond).toBe(LIMIT / FLEET_SIZE);
      }
    },
    /** Connects until Redis is asked again, a second after its last failure, and answers. */
    async expectSharedAgain(witness: Application) {
      const isShared = async () => {
        const [evals, events] = [await evalsOf(witness), unavailable.length];
        await connect(1);
        return unavailable.length === events && (await evalsOf(witness)) > evals;
      };
      await expect.poll(isShared, { timeout: 20_000 }).toBe(true);
      const failuresInTen = async () => {
        const events = unavailable.length;
        await connect(10);
        return unavailable.length - events;
      };
      // On a busy machine, an answer can be late once more.
      await expect.poll(failuresInTen, { timeout: 20_000 }).toBe(0);
    },
  };
}

/** How many scripts a Redis server was asked to run. */
async function evalsOf(application: Application): Promise<number> {
  return Number(/cmdstat_eval:calls=(\d+)/.exec(String(await application.call('INFO', 'commandstats')))?.[1] ?? 0);
}

/** The process of a Redis server. */
async function processOf(application: Application): Promise<number> {
  return Number(/process_id:(\d+)/.exec(String(await application.call('INFO', 'server')))?.[1]);
}

/** Tests a client that it opens while its Redis fails. */
export function describeFaults(open: Open): void {
  test('Redis is killed and comes back', async () => {
    const redis = await startedRedis();
    const application = await opened(open, redis.url);
    const database = await startDatabase(application);
    await database.connect(10);
    expect(database.unavailable).toEqual([]);

    const underWay = database.connect(40);
    process.kill(await processOf(application), 'SIGKILL');
    await underWay;
    // Redis is asked again only now and then, not for each of the forty.
    expect(database.unavailable.length).toBeLessThan(10);
    await database.expectOwnShare();

    const again = await startRedis({ port: redis.port });
    onTestFinished(() => again.close());
    await database.expectSharedAgain(application);
  });

  test('Redis hangs, and goes on', async () => {
    const redis = await startedRedis();
    const application = await opened(open, redis.url);
    const database = await startDatabase(application);
    await database.connect(10);
    const pid = await processOf(application);
    process.kill(pid, 'SIGSTOP');
    onTestFinished(() => void process.kill(pid, 'SIGCONT'));
    await database.expectOwnShare();
    process.kill(pid, 'SIGCONT');
    await database.expectSharedAgain(application);
  });

  test('Redis is slow: its late answers change nothing', async () => {
    const redis = await startedRedis();
    const proxy = await startFaultProxy(redis.port);
    const application = await opened(open, proxy.url);
    const database = await startDatabase(application);
    await database.connect(10);
    proxy.hold();
    await database.expectOwnShare();
    expect(String(database.unavailable.at(-1)?.error)).toContain('no answer within 100 ms');
    proxy.release();
    await database.expectSharedAgain(application);
  });

  test('the password for Redis is wrong, and is corrected', async () => {
    const redis = await startedRedis();
    const administrator = await opened(open, redis.url);
    await administrator.call('CONFIG', 'SET', 'requirepass', 'another');
    const application = open(`redis://:secret@127.0.0.1:${redis.port}`);
    const database = await startDatabase(application);
    await database.expectOwnShare();
    const ready = new Promise<void>((resolve) => application.client.once('ready', resolve));
    await administrator.call('CONFIG', 'SET', 'requirepass', 'secret');
    await ready;
    await database.expectSharedAgain(administrator);
  });

  test('Redis was never running', async () => {
    const redis = await startedRedis();
    await redis.close();
    const database = await startDatabase(open(redis.url));
    await database.expectOwnShare();
  });

  test('Redis refuses, like a replica or a server without memory', async () => {
    const redis = await startedRedis();
    const application = await opened(open, redis.url);
    const database = await startDatabase(application);
    await application.call('REPLICAOF', '127.0.0.1', '9');
    await database.expectOwnShare();
    expect(String(database.unavailable.at(-1)?.error)).toMatch(/READONLY|replica/i);
    await application.call('REPLICAOF', 'NO', 'ONE');
    await database.expectSharedAgain(application);
  });

  test('a Redis that hung does not find a pile of reservations that nobody is waiting for', async () => {
    const redis = await startedRedis();
    const application = await opened(open, redis.url);
    const limiter = redisLimiter({ client: application.client, timeoutMs: 1 });
    const request = { hostname: 'db', port: 5432, connectionsPerSecond: 1, count: 1 };
    const pid = await processOf(application);
    process.kill(pid, 'SIGSTOP');
    const forgotten: Promise<unknown>[] = [];
    const refusals: unknown[] = [];
    const ask = () => forgotten.push(limiter.reserve(request).catch((error: unknown) => refusals.push(error)));
    // Requests within the first millisecond are sent, later ones are not.
    while (refusals.length === 0) {
      ask();
      await new Promise(setImmediate);
    }
    const sent = forgotten.length - refusals.length;
    for (let more = 0; more < 100; more++) ask();
    process.kill(pid, 'SIGCONT');
    await Promise.all(forgotten);
    expect(refusals).toHaveLength(101);
    for (const refusal of refusals) expect(refusal).toHaveProperty('message', expect.stringContaining('not answered'));
    const next = await limiter.reserve(request);
    expect(next).toBeLessThanOrEqual(sent * 1_000);
    expect(next).toBeGreaterThan(0);
  });
}
