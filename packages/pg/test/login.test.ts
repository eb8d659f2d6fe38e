import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createRdsIam } from '@rds-iam/core';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Client, Pool } from '../src/index.js';
import { CREDENTIALS, dialsLoopback, RDS_HOSTNAME, REGION, type Stack, socketOf, startStack } from './stack.js';

const MINUTE = 60_000;
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
  await vi.waitFor(() => expect(stack.emulator.stats.open, 'no connection outlives its test').toBe(0));
});
afterAll(() => stack[Symbol.asyncDispose]());

describe('Pool', () => {
  test('logs in without a password, as the user, over verified TLS', async () => {
    const pool = newPool(stack.config);
    const client = await pool.connect();
    const { rows } = await client.query('select current_user as name, $1::int + 1 as two', [1]);
    expect(rows).toEqual([{ name: stack.role, two: 2 }]);
    const socket = socketOf(client);
    expect(socket).toMatchObject({ encrypted: true, authorized: true });
    expect(socket.getProtocol()).toBe('TLSv1.3');
    client.release();
  });

  test('asks for no token at checkout and reuses one for all physical connections', async () => {
    let asked = 0;
    const credentials = async () => {
      asked++;
      return CREDENTIALS;
    };
    const pool = newPool({ ...stack.config, max: 5, iam: { ...stack.iam, credentials } });
    const signed = countSignings();
    await Promise.all(Array.from({ length: 50 }, () => pool.query('select pg_sleep(0.001)')));
    expect(pool.totalCount).toBe(5);
    expect(asked).toBe(1);
    expect(signed()).toBe(1);
  });

  test('grows after its first token has expired', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const pool = newPool({ ...stack.config, max: 2 });
    const first = await pool.connect();
    vi.setSystemTime(Date.now() + 16 * MINUTE);
    const second = await pool.connect();
    expect((await second.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    expect((await first.query('select 2 as two')).rows, 'an open session lives on').toEqual([{ two: 2 }]);
    first.release();
    second.release();
  });

  test('connects with a URL', async () => {
    const { host, port } = stack.config;
    const pool = newPool({
      connectionString: `postgres://${stack.role}@${host}:${port}/postgres?sslmode=verify-full&application_name=by-url`,
      iam: stack.iam,
    });
    const { rows } = await pool.query("select current_setting('application_name') as name, current_user as user");
    expect(rows).toEqual([{ name: 'by-url', user: stack.role }]);
  });

  test('takes its user, host and port from the environment as pg does', async () => {
    vi.stubEnv('PGHOST', stack.config.host);
    vi.stubEnv('PGPORT', String(stack.config.port));
    vi.stubEnv('PGUSER', stack.role);
    vi.stubEnv('PGDATABASE', 'postgres');
    vi.stubEnv('PGPASSWORD', 'left-over');
    try {
      expect((await newPool({ iam: stack.iam }).query('select current_user as name')).rows).toEqual([
        { name: stack.role },
      ]);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test('shares an RdsIam, and with it the token, with other pools', async () => {
    const iam = createRdsIam(stack.iam);
    const signed = countSignings();
    await newPool({ ...stack.config, iam }).query('select 1');
    await newPool({ ...stack.config, iam }).query('select 1');
    expect(signed()).toBe(1);
  });

  test('works with callbacks as with promises', async () => {
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
    expect(name).toBe(stack.role);
    await new Promise<void>((resolve) => new Pool(stack.config).end(resolve));
  });

  test('logs in with session credentials, whose tokens are two kilobytes long', async () => {
    const credentials = {
      ...CREDENTIALS,
      accessKeyId: 'ASIAEXAMPLE',
      sessionToken: `${'IQoJb3JpZ2lu/+='.repeat(100)}`,
    };
    await using session = await startStack({ accessKeys: [credentials] });
    const pool = newPool({ ...session.config, iam: { ...session.iam, credentials } });
    const { token } = await createRdsIam({ ...session.iam, credentials }).getToken({
      hostname: 'localhost',
      port: 5432,
      username: 'a',
    });
    expect(token.length).toBeGreaterThan(2_000);
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await pools.pop()?.end();
  });

  test('dials, signs for and verifies an RDS endpoint by its name', async () => {
    await using rds = await startStack({ hostnames: [RDS_HOSTNAME] });
    const { region: _, ...iam } = rds.iam as typeof rds.iam & { region: string };
    const pool = new Pool({ ...rds.config, host: RDS_HOSTNAME, stream: dialsLoopback, iam });
    const client = await pool.connect();
    expect(socketOf(client)).toMatchObject({ authorized: true, servername: RDS_HOSTNAME });
    client.release();
    await pool.end();
  });

  test('is the plain driver when IAM is off', async () => {
    const { hostname, port } = (await import('vitest')).inject('postgres');
    const plain = {
      host: hostname,
      port,
      user: stack.role,
      database: 'postgres',
      password: 'any',
      ssl: false as const,
    };
    const pool = newPool({ ...plain, iam: { enabled: false } });
    expect((await pool.query('select current_user as name')).rows).toEqual([{ name: stack.role }]);
    expect(pool.options.password).toBe('any');
  });

  test('keeps what pg offers: events, onConnect, types, application_name, statement_timeout', async () => {
    const pool = newPool({
      ...stack.config,
      application_name: 'kept',
      statement_timeout: 1_234,
      types: { getTypeParser: () => () => 'parsed' },
    });
    const connected = once(pool, 'connect');
    const { rows } = await pool.query("select current_setting('statement_timeout') as a");
    expect(rows).toEqual([{ a: 'parsed' }]);
    await connected;
    const { rows: names } = await stack.admin.query(
      'select application_name as name from pg_stat_activity where usename = $1',
      [stack.role],
    );
    expect(names).toContainEqual({ name: 'kept' });
  });

  test('replaces connections that the server dropped', async () => {
    const pool = newPool({ ...stack.config, max: 3 });
    pool.on('error', () => {});
    await Promise.all([1, 2, 3].map(() => pool.query('select pg_sleep(0.01)')));
    expect(stack.emulator.dropConnections()).toBe(3);
    await vi.waitFor(() => expect(pool.totalCount).toBe(0));
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
      expect((await client.query('select current_user as name')).rows).toEqual([{ name: stack.role }]);
      await client.end();
    }
    await vi.waitFor(async () => expect(await stack.backends()).toBe(0));
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
      const connected = client.connect();
      connected.catch(() => {});
      for (let turn = 0; turn < after; turn++) await new Promise((resolve) => setImmediate(resolve));
      await client.end();
      await connected.catch((error) => expect(error).toMatchObject({ code: 'ERR_RDS_IAM_ABORTED' }));
    }
    await vi.waitFor(async () => expect(await stack.backends()).toBe(0));
  });

  test('takes a connection URL alone', async () => {
    vi.stubEnv('AWS_REGION', REGION);
    vi.stubEnv('AWS_ACCESS_KEY_ID', CREDENTIALS.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', CREDENTIALS.secretAccessKey);
    try {
      const client = new Client(`postgres://${stack.role}@localhost:${stack.config.port}/postgres`);
      await expect(client.connect(), 'the emulator is not of the RDS roots').rejects.toMatchObject({
        code: 'ERR_RDS_IAM_TLS',
      });
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe('retry', () => {
  test('goes on until the server takes the login, without the caller noticing', async () => {
    const pool = newPool({ ...stack.config, max: 1 });
    await pool.query('select 1');
    stack.emulator.dropConnections();
    pool.on('error', () => {});
    await vi.waitFor(() => expect(pool.totalCount).toBe(0));
    stack.emulator.setFaults({ throttle: { connectionsPerSecond: 0, action: 'deny', counting: 'logins' } });
    const refusedBefore = stack.emulator.stats.refused['throttled'] ?? 0;
    const query = pool.query('select 1 as one');
    await vi.waitFor(() => expect((stack.emulator.stats.refused['throttled'] ?? 0) - refusedBefore).toBeGreaterThan(3));
    stack.emulator.setFaults({});
    expect((await query).rows).toEqual([{ one: 1 }]);
    await vi.waitFor(async () => expect(await stack.backends()).toBe(1));
  });

  test('covers connections that are reset during the login', async () => {
    stack.emulator.setFaults({ throttle: { connectionsPerSecond: 0, action: 'reset', counting: 'logins' } });
    const client = new Client(stack.config);
    const before = stack.emulator.stats.connections;
    const connected = client.connect();
    await vi.waitFor(() => expect(stack.emulator.stats.connections - before).toBeGreaterThan(2));
    stack.emulator.setFaults({});
    await connected;
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
  });

  test('lasts no longer than connectionTimeoutMillis, and the error says what it was', async () => {
    stack.emulator.setFaults({ hang: 'before-authentication' });
    const pool = newPool({ ...stack.config, connectionTimeoutMillis: 200 });
    await expect(pool.query('select 1')).rejects.toMatchObject({
      code: 'ERR_RDS_IAM_UNREACHABLE',
      username: stack.role,
    });
    await expect(new Client({ ...stack.config, connectionTimeoutMillis: 200 }).connect()).rejects.toMatchObject({
      code: 'ERR_RDS_IAM_UNREACHABLE',
      cause: { code: 'ETIMEDOUT' },
    });
  });

  test('ends with the pool', async () => {
    const pool = new Pool({
      ...stack.config,
      iam: { ...stack.iam, retry: { baseDelayMs: 60_000, maxDelayMs: 60_000, timeoutMs: 600_000 } },
    });
    stack.emulator.setFaults({ throttle: { connectionsPerSecond: 0, action: 'reset', counting: 'logins' } });
    const before = stack.emulator.stats.connections;
    const query = pool.query('select 1').catch((error) => error);
    await vi.waitFor(() => expect(stack.emulator.stats.connections).toBeGreaterThan(before));
    await pool.end();
    expect(await query).toMatchObject({ code: 'ERR_RDS_IAM_UNREACHABLE' });
  });

  test('does not keep a pool from finishing a query that was asked for before it was ended', async () => {
    const pool = new Pool(stack.config);
    const query = pool.query('select 1 as one');
    await pool.end();
    expect((await query).rows).toEqual([{ one: 1 }]);
  });
});

function countSignings(): () => number {
  let signed = 0;
  const count = () => {
    signed++;
  };
  subscribe('rds-iam:token:signed', count);
  onTestFinished(() => {
    unsubscribe('rds-iam:token:signed', count);
  });
  return () => signed;
}
