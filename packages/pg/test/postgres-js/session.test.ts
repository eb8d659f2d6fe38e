import { Socket } from 'node:net';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createRdsIam, type Options, withRdsIam } from '../../src/postgres-js.js';
import { type Stack, startStack } from '../stack.js';

let stack: Stack;
const open: postgres.Sql[] = [];
const connect = (options: Partial<Options> = {}) => {
  const sql = postgres(withRdsIam({ ...stack.config, ...options } as Options));
  open.push(sql);
  return sql;
};

beforeAll(async () => {
  stack = await startStack();
});
afterEach(async () => {
  stack.emulator.setFaults({});
  await Promise.all(open.splice(0).map((sql) => sql.end({ timeout: 5 })));
  await vi.waitFor(() => expect(stack.emulator.stats.open, 'no connection outlives its test').toBe(0), 10_000);
});
afterAll(() => stack[Symbol.asyncDispose]());

describe('a session', () => {
  test('has the user, the database and the settings from the options', async () => {
    const { host, port } = stack.config;
    const url = `postgres://${stack.username}@${host}:${port}/postgres?sslmode=verify-full&application_name=by-url`;
    const sql = postgres(withRdsIam(url, { iam: stack.iam, connection: { statement_timeout: 1_234 } }));
    open.push(sql);
    expect([
      ...(await sql`
        select current_user::text as user, current_database()::text as database,
          current_setting('application_name') as name, current_setting('statement_timeout') as timeout`),
    ]).toEqual([{ user: stack.username, database: 'postgres', name: 'by-url', timeout: '1234ms' }]);
  });

  test('takes its user, host, port and database from the environment as postgres.js does', async () => {
    vi.stubEnv('PGHOST', stack.config.host);
    vi.stubEnv('PGPORT', String(stack.config.port));
    vi.stubEnv('PGUSER', stack.username);
    vi.stubEnv('PGDATABASE', 'postgres');
    vi.stubEnv('PGPASSWORD', 'left-over');
    vi.stubEnv('PGSSL', 'disable');
    try {
      const sql = postgres(withRdsIam({ iam: stack.iam }));
      open.push(sql);
      expect([...(await sql`select current_user::text as name`)]).toEqual([{ name: stack.username }]);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test('carries results and parameters of several megabytes, and slow streams in both directions', async () => {
    const sql = connect({ max: 1 });
    const text = 'x'.repeat(8_000_000);
    const [row] = await sql`select ${text}::text as text`;
    expect(row?.['text'] === text).toBe(true);
    expect(await sql`select repeat('y', 1000) as y from generate_series(1, 20000)`).toHaveLength(20_000);

    await sql`create temporary table lines (line text)`;
    const into = await sql`copy lines from stdin`.writable();
    for (let line = 0; line < 20_000; line++) {
      if (!into.write(`${'z'.repeat(500)}\n`)) await new Promise((resolve) => into.once('drain', resolve));
    }
    await new Promise<void>((resolve, reject) => into.once('error', reject).end(resolve));
    let length = 0;
    for await (const chunk of await sql`copy lines to stdout`.readable()) {
      length += chunk.length;
      await new Promise(setImmediate);
    }
    expect(length).toBe(20_000 * 501);
  });

  describe('that waits for a lock', () => {
    /** A query that waits until it is canceled or `release` is called. */
    const waiting = async () => {
      const other = await connect().reserve();
      await other`select pg_advisory_lock(1)`;
      const sql = connect({ max: 1 });
      const query = sql`select 'done' as outcome from (select pg_advisory_lock(1)) as locked`.execute();
      const outcome = query.then(
        (rows) => rows[0]?.['outcome'],
        (error) => error,
      );
      await vi.waitFor(async () => {
        expect(await other`select from pg_stat_activity where wait_event = 'advisory'`).toHaveLength(1);
      }, 10_000);
      const release = async () => {
        await other`select pg_advisory_unlock(1)`;
        other.release();
      };
      return { sql, query, outcome, release };
    };

    test('can be canceled, and goes on', async () => {
      const { sql, query, outcome, release } = await waiting();
      query.cancel();
      expect(await outcome).toMatchObject({ name: 'PostgresError', code: '57014' });
      expect([...(await sql`select 2 as two`)]).toEqual([{ two: 2 }]);
      await release();
    });

    test('is not disturbed by a cancel request that cannot be sent, which is tried once', async () => {
      const { query, outcome, release } = await waiting();
      const { connections, open } = stack.emulator.stats;
      stack.emulator.setFaults({ tls: 'other-ca' });
      query.cancel();
      await vi.waitFor(
        () => expect(stack.emulator.stats).toMatchObject({ connections: connections + 1, open }),
        15_000,
      );
      await release();
      expect(await outcome).toBe('done');
      expect(stack.emulator.stats.connections).toBe(connections + 1);
    });
  });

  test('listens and notifies, and listens again after the connection broke', async () => {
    const sql = connect();
    const heard: string[] = [];
    const listening = vi.fn();
    await sql.listen('news', (payload) => heard.push(payload), listening);
    await sql.notify('news', 'first');
    await vi.waitFor(() => expect(heard).toEqual(['first']), 10_000);
    stack.emulator.dropConnections();
    await vi.waitFor(() => expect(listening).toHaveBeenCalledTimes(2), 10_000);
    await sql.notify('news', 'second');
    await vi.waitFor(() => expect(heard).toEqual(['first', 'second']), 10_000);
  });

  test('is replaced when the server drops it', async () => {
    const onclose = vi.fn();
    const sql = connect({ max: 3, onclose });
    await Promise.all([1, 2, 3].map(() => sql`select pg_sleep(0.01)`));
    expect(stack.emulator.dropConnections()).toBe(3);
    await vi.waitFor(() => expect(onclose).toHaveBeenCalledTimes(3), 10_000);
    expect([...(await sql`select 1 as one`)]).toEqual([{ one: 1 }]);
  });

  test('is replaced when its lifetime is over, by one that logs in anew', async () => {
    const sql = connect({ max: 1, max_lifetime: 0.05 });
    const processOf = async () => (await sql`select pg_backend_pid() as pid`)[0]?.['pid'];
    const first = await processOf();
    await vi.waitFor(async () => expect(await processOf()).not.toBe(first), 10_000);
    expect(stack.emulator.stats.accepted).toBeGreaterThan(1);
  });

  test('begins with direct TLS on request, which is verified as always', async () => {
    const direct = { sslnegotiation: 'direct' } as never;
    expect([...(await connect(direct)`select 1 as one`)]).toEqual([{ one: 1 }]);
    stack.emulator.setFaults({ tls: 'other-ca' });
    await expect(connect(direct)`select 1`).rejects.toMatchObject({ code: 'ERR_RDS_IAM_TLS', attempts: 1 });
  });

  test("keeps the driver's types, transforms and prepared statements", async () => {
    const sql = connect({ types: { bigint: postgres.BigInt }, transform: postgres.camel });
    expect([...(await sql`select 1::bigint as a_number, ${[1, 2]}::int[] as the_list`)]).toEqual([
      { aNumber: 1n, theList: [1, 2] },
    ]);
  });
});

describe('a login that fails', () => {
  test('fails every waiting query with the error itself, and nothing else', async () => {
    await using strict = await startStack({ iamUsers: ['somebody_else'] });
    const sql = postgres(withRdsIam({ ...strict.config, max: 2, backoff: false } as Options));
    const outcomes = await Promise.all(Array.from({ length: 5 }, () => sql`select 1`.catch((error) => error)));
    for (const error of outcomes) {
      expect(error).toMatchObject({ code: 'ERR_RDS_IAM_REFUSED', username: strict.username, attempts: 1 });
      expect(error.message).toMatch(/asks for a stored password.*GRANT rds_iam/s);
    }
    await expect(sql.reserve()).rejects.toMatchObject({ code: 'ERR_RDS_IAM_REFUSED' });
    await expect(sql.begin(() => expect.unreachable())).rejects.toMatchObject({ code: 'ERR_RDS_IAM_REFUSED' });
    await expect(sql.listen('news', () => {})).rejects.toMatchObject({ code: 'ERR_RDS_IAM_REFUSED' });
    await vi.waitFor(() => expect(strict.emulator.stats.open, 'it is us who hang up').toBe(0), 10_000);
    await sql.end();
  });

  test('on a database that does not exist says so, which the server does only after the login', async () => {
    const error = await connect({ database: 'nowhere' })`select 1`.catch((error) => error);
    expect(error).toMatchObject({
      code: 'ERR_RDS_IAM_LOGIN',
      message: expect.stringContaining('database "nowhere" does not exist (3D000)'),
      cause: { name: 'PostgresError', code: '3D000', severity: 'FATAL' },
    });
  });

  test('makes the driver wait longer between its own retries', async () => {
    await using strict = await startStack({ iamUsers: ['somebody_else'] });
    const backoff = vi.fn(() => 0);
    const sql = postgres(withRdsIam({ ...strict.config, backoff } as Options));
    await expect(sql.listen('news', () => {})).rejects.toMatchObject({ code: 'ERR_RDS_IAM_REFUSED' });
    await vi.waitFor(() => expect(backoff.mock.calls.slice(0, 3)).toEqual([[1], [2], [3]]), 10_000);
    await sql.end();
  });

  test('lasts no longer than connect_timeout, and the error says so', async () => {
    stack.emulator.setFaults({ hang: 'before-authentication' });
    await expect(connect({ connect_timeout: 0.2 })`select 1`).rejects.toMatchObject({
      code: 'ERR_RDS_IAM_UNREACHABLE',
      username: stack.username,
      message: expect.stringContaining('all that "connect_timeout" allows'),
      cause: { kind: 'timed-out' },
    });
  });

  test('ends in time even if the `socket` function never settles; its permit is given back and a late socket closed', async () => {
    const waiting: ((socket: Socket) => void)[] = [];
    const never = () => new Promise<Socket>((resolve) => waiting.push(resolve));
    const iam = createRdsIam({ ...stack.iam, retry: { timeoutMs: 1_500, baseDelayMs: 1, maxDelayMs: 1 } });
    const sql = connect({ iam, max: 10, socket: never, backoff: false, connect_timeout: 0.3 } as never);
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => sql`select 1`.catch((error) => error)));
    for (const error of outcomes) {
      expect(error).toMatchObject({ code: 'ERR_RDS_IAM_UNREACHABLE', username: stack.username });
    }
    expect([...(await connect({ iam } as never)`select 1 as one`)], 'an innocent login is let in').toEqual([
      { one: 1 },
    ]);
    for (const [index, settle] of waiting.entries()) {
      const late = new Socket();
      settle(late);
      await vi.waitFor(() => expect(late.destroyed, `socket ${index}`).toBe(true), 10_000);
    }
  });

  test('ends with the pool, when that has waited long enough', async () => {
    stack.emulator.setFaults({ hang: 'before-authentication' });
    const { connections } = stack.emulator.stats;
    const sql = connect();
    const query = sql`select 1`.catch((error) => error);
    await vi.waitFor(() => expect(stack.emulator.stats.connections).toBe(connections + 1), 10_000);
    await sql.end({ timeout: 0 });
    expect(await query).toMatchObject({ code: 'CONNECTION_DESTROYED' });
    await vi.waitFor(() => expect(stack.emulator.stats.open).toBe(0), 10_000);
  });
});
