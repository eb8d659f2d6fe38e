import { once } from 'node:events';
import { connect, Socket } from 'node:net';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Client, Pool, withRdsIam } from '../src/index.js';
import { CREDENTIALS, REGION, type Stack, startStack } from './stack.js';

let stack: Stack;
const pools: Pool[] = [];
const newPool = (...[config]: ConstructorParameters<typeof Pool>) => {
  const pool = new Pool(config);
  pools.push(pool);
  return pool;
};

beforeAll(async () => {
  stack = await startStack();
});
afterEach(async () => {
  vi.useRealTimers();
  stack.emulator.setFaults({});
  await Promise.all(pools.splice(0).map((pool) => pool.end()));
  await vi.waitFor(() => expect(stack.emulator.stats.open, 'no connection outlives its test').toBe(0), 10_000);
});
afterAll(() => stack[Symbol.asyncDispose]());

describe('Pool', () => {
  test('connects with a URL', async () => {
    const { host, port } = stack.config;
    const pool = newPool({
      connectionString: `postgres://${stack.username}@${host}:${port}/postgres?sslmode=verify-full&application_name=by-url`,
      iam: stack.iam,
    });
    const { rows } = await pool.query("select current_setting('application_name') as name, current_user as user");
    expect(rows).toEqual([{ name: 'by-url', user: stack.username }]);
  });

  test('takes its user, host and port from the environment as pg does', async () => {
    vi.stubEnv('PGHOST', stack.config.host);
    vi.stubEnv('PGPORT', String(stack.config.port));
    vi.stubEnv('PGUSER', stack.username);
    vi.stubEnv('PGDATABASE', 'postgres');
    vi.stubEnv('PGPASSWORD', 'left-over');
    try {
      expect((await newPool({ iam: stack.iam }).query('select current_user as name')).rows).toEqual([
        { name: stack.username },
      ]);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test('works with callbacks as well as promises', async () => {
    const pool = newPool(stack.config);
    const name = await new Promise((resolve, reject) => {
      pool.connect((error, client, release) => {
        if (error || !client) return reject(error);
        client.query('select current_user as name', (failed, result) => {
          release();
          failed ? reject(failed) : resolve(result.rows[0].name);
        });
      });
    });
    expect(name).toBe(stack.username);
    await new Promise<void>((resolve) => new Pool(stack.config).end(resolve));
  });

  test("keeps pg's features: events, type parsers, application_name, statement_timeout", async () => {
    const types = { getTypeParser: () => (text: string) => `parsed ${text}` };
    const pool = newPool({ ...stack.config, application_name: 'kept', statement_timeout: 1_234, types });
    const connected = once(pool, 'connect');
    const { rows } = await pool.query(
      "select current_setting('application_name') as a, current_setting('statement_timeout') as b",
    );
    expect(rows).toEqual([{ a: 'parsed kept', b: 'parsed 1234ms' }]);
    await connected;
  });

  test('replaces connections that the server dropped', async () => {
    const pool = newPool({ ...stack.config, max: 3 });
    pool.on('error', () => {});
    await Promise.all([1, 2, 3].map(() => pool.query('select pg_sleep(0.01)')));
    expect(stack.emulator.dropConnections()).toBe(3);
    await vi.waitFor(() => expect(pool.totalCount).toBe(0), 10_000);
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });
});

describe('Client', () => {
  test('connects once, with a promise or a callback, and ends', async () => {
    for (const connect of [
      (client: Client) => client.connect(),
      (client: Client) =>
        new Promise<void>((resolve, reject) =>
          client.connect((error: Error | null) => (error ? reject(error) : resolve())),
        ),
    ]) {
      const client = new Client(stack.config);
      await connect(client);
      expect((await client.query('select current_user as name')).rows).toEqual([{ name: stack.username }]);
      await client.end();
    }
    await vi.waitFor(async () => expect(await stack.sessions()).toBe(0), 10_000);
  });

  test('runs queries that were queued before it was connected', async () => {
    const client = new Client(stack.config);
    const connected = client.connect();
    const { rows } = await client.query('select 1 as one');
    await connected;
    expect(rows).toEqual([{ one: 1 }]);
    await client.end();
  });

  test('can be ended while it connects, at any point', async () => {
    for (const after of [0, 1, 2, 5, 10, 20]) {
      const client = new Client(stack.config);
      let failed = false;
      client.connect().catch(() => {
        failed = true;
      });
      for (let turn = 0; turn < after; turn++) await new Promise((resolve) => setImmediate(resolve));
      await client.end();
      expect(failed, 'what was asked to end did not fail').toBe(false);
    }
    await vi.waitFor(async () => expect(await stack.sessions()).toBe(0), 10_000);
  });

  test('takes a connection URL alone', async () => {
    vi.stubEnv('AWS_REGION', REGION);
    vi.stubEnv('AWS_ACCESS_KEY_ID', CREDENTIALS.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', CREDENTIALS.secretAccessKey);
    try {
      const client = new Client(`postgres://${stack.username}@localhost:${stack.config.port}/postgres`);
      await expect(client.connect(), 'the emulator is not of the RDS roots').rejects.toMatchObject({
        code: 'ERR_RDS_IAM_TLS',
      });
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe('retry', () => {
  test('goes on until the server accepts the login, without the caller noticing', async () => {
    const pool = newPool({ ...stack.config, max: 1 });
    await pool.query('select 1');
    stack.emulator.dropConnections();
    pool.on('error', () => {});
    await vi.waitFor(() => expect(pool.totalCount).toBe(0), 10_000);
    stack.emulator.setFaults({ throttle: { connectionsPerSecond: 0, action: 'deny', counting: 'logins' } });
    const refusedBefore = stack.emulator.stats.refused['throttled'] ?? 0;
    const query = pool.query('select 1 as one');
    await vi.waitFor(
      () => expect((stack.emulator.stats.refused['throttled'] ?? 0) - refusedBefore).toBeGreaterThan(3),
      10_000,
    );
    stack.emulator.setFaults({});
    expect((await query).rows).toEqual([{ one: 1 }]);
    await vi.waitFor(async () => expect(await stack.sessions()).toBe(1), 10_000);
  });

  test('lasts no longer than connectionTimeoutMillis, and the error says so', async () => {
    stack.emulator.setFaults({ hang: 'before-authentication' });
    const pool = newPool({ ...stack.config, connectionTimeoutMillis: 200 });
    const expected = {
      code: 'ERR_RDS_IAM_UNREACHABLE',
      username: stack.username,
      message: expect.stringContaining('all that "connectionTimeoutMillis" allows'),
      cause: { kind: 'timed-out' },
    };
    await expect(pool.query('select 1')).rejects.toMatchObject(expected);
    await expect(new Client({ ...stack.config, connectionTimeoutMillis: 200 }).connect()).rejects.toMatchObject(
      expected,
    );
    const plain = new pg.Client(withRdsIam({ ...stack.config, connectionTimeoutMillis: 200 }));
    await expect(plain.connect()).rejects.toMatchObject(expected);
  });

  test('ends with the pool', async () => {
    const pool = new Pool({
      ...stack.config,
      iam: { ...stack.iam, retry: { baseDelayMs: 60_000, maxDelayMs: 60_000, timeoutMs: 600_000 } },
    });
    stack.emulator.setFaults({ throttle: { connectionsPerSecond: 0, action: 'reset', counting: 'logins' } });
    const before = stack.emulator.stats.connections;
    const query = pool.query('select 1').catch((error) => error);
    await vi.waitFor(() => expect(stack.emulator.stats.connections).toBeGreaterThan(before), 10_000);
    await pool.end();
    expect(await query).toMatchObject({ code: 'ERR_RDS_IAM_UNREACHABLE' });
  });

  test('does not keep an ended pool from finishing an earlier query', async () => {
    const pool = new Pool(stack.config);
    const query = pool.query('select 1 as one');
    await pool.end();
    expect((await query).rows).toEqual([{ one: 1 }]);
  });
});

describe("pg's configuration", () => {
  const { host, user, port, ssl } = pg.defaults;
  afterEach(() => void Object.assign(pg.defaults, { host, user, port, ssl }));

  test('also counts if it is in pg.defaults', () => {
    const given = { host: 'db.abc.eu-west-1.rds.amazonaws.com', user: 'somebody', port: 6_543 };
    Object.assign(pg.defaults, given);
    expect(new Client({ iam: stack.iam })).toMatchObject({ ...given, database: 'somebody' });
    Object.assign(pg.defaults, { ssl: { rejectUnauthorized: false } });
    expect(() => newPool({ iam: stack.iam })).toThrow(/"ssl.rejectUnauthorized" is off/);
  });

  test('without a host is an error, not localhost', () => {
    expect(() => newPool({ user: 'app', iam: stack.iam })).toThrow(/"hostname" is missing/);
  });

  describe('with the "stream" option', () => {
    const query = async (stream: unknown, config: object = {}) => {
      const pool = newPool({ ...stack.config, max: 1, ...config, stream } as never);
      return (await pool.query('select 1 as one')).rows;
    };

    test('a function may return a stream that is not connected, as in pg, or is connecting or connected', async () => {
      const { host, port } = stack.config;
      expect(await query(() => new Socket())).toEqual([{ one: 1 }]);
      expect(await query(() => connect(port, host))).toEqual([{ one: 1 }]);
      const connected = connect(port, host);
      await once(connected, 'connect');
      expect(await query(() => connected)).toEqual([{ one: 1 }]);
    });

    test('a ready-made stream can be used only once: a login that fails over it is not retried', async () => {
      expect(await query(new Socket())).toEqual([{ one: 1 }]);
      stack.emulator.setFaults({ throttle: { connectionsPerSecond: 0, action: 'reset', counting: 'logins' } });
      const { connections } = stack.emulator.stats;
      await expect(query(new Socket())).rejects.toMatchObject({ code: 'ERR_RDS_IAM_UNREACHABLE', attempts: 1 });
      expect(stack.emulator.stats.connections).toBe(connections + 1);
    });
  });
});
