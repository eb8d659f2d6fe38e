import { count, type Engine, listen, startStack } from '@rds-iam/conformance';
import { createRdsIam, type RdsIamOptions } from '@rds-iam/core';
import { createPool } from '@rds-iam/mysql2/promise';
import { Pool } from '@rds-iam/pg';
import { startRedis } from '@rds-iam/test-servers';
import { expect, test } from 'vitest';
import { redisLimiter } from '../src/index.js';
import { opened, openIoredis, openNodeRedis } from './clients.js';

const EACH = 10;
const LIMIT = 40;

interface Login {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly iam: ReturnType<typeof createRdsIam>;
}

/** Opens this many physical connections at once through a pool of its own. */
const USES: Readonly<Record<Engine, (login: Login) => Promise<void>>> = {
  async postgres(login) {
    const pool = new Pool({ ...login, max: EACH });
    const clients = await Promise.all(Array.from({ length: EACH }, () => pool.connect()));
    for (const client of clients) client.release();
    await pool.end();
  },
  async mysql(login) {
    const pool = createPool({ ...login, connectionLimit: EACH });
    const connections = await Promise.all(Array.from({ length: EACH }, () => pool.getConnection()));
    for (const connection of connections) connection.release();
    await pool.end();
  },
};

test.each(['postgres', 'mysql'] as const)(
  'pools of %s that do not know of each other share the limit',
  async (engine) => {
    await using redis = await startRedis();
    await using stack = await startStack(engine);
    const unavailable = count('rds-iam:limiter:unavailable');
    const admittedAt: number[] = [];
    listen('rds-iam:connection:admitted', () => admittedAt.push(performance.now()));

    const { emulator, username: user, database } = stack;
    const iam: RdsIamOptions = { ...stack.iam, maxConnectionsPerSecond: LIMIT };
    const logins = await Promise.all(
      [openIoredis, openNodeRedis].map(async (open) => {
        const { client } = await opened(open, redis.url);
        // Not an answer that is late on a busy machine, but whether the limit is shared.
        const limiter = redisLimiter({ client, timeoutMs: 10_000 });
        return { host: 'localhost', port: emulator.port, user, database, iam: createRdsIam({ ...iam, limiter }) };
      }),
    );
    await Promise.all(logins.map(USES[engine]));

    expect(emulator.stats.accepted).toBe(2 * EACH);
    expect(unavailable()).toBe(0);
    // Each on its own would take half the time.
    const [first = 0, last = 0] = [admittedAt[0], admittedAt.at(-1)];
    expect(last - first).toBeGreaterThan(((2 * EACH - 2) / LIMIT) * 1_000);
  },
);
