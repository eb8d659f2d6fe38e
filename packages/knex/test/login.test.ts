import { type Stack, startStack } from '@rds-iam/conformance';
import type { Faults } from '@rds-iam/emulator';
import { type Knex, knex } from 'knex';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createRdsIam, type KnexConfig, withRdsIam } from '../src/index.js';
import { DIALECTS, QUIET } from './subject.js';

describe.each(DIALECTS)('Knex with $client', ({ client, engine, scheme, rowsOf }) => {
  let stack: Stack;
  let url: string;
  let connection: { host: string; port: number; user: string; database: string };
  beforeAll(async () => {
    stack = await startStack(engine);
    const { emulator, username: user, database } = stack;
    connection = { host: 'localhost', port: emulator.port, user, database };
    url = `${scheme}://${user}@localhost:${emulator.port}/${database}`;
  });
  afterEach(() => stack.emulator.setFaults({}));
  afterAll(() => stack[Symbol.asyncDispose]());

  const open = (config: object = {}): Knex => {
    const db = knex(withRdsIam({ client, connection, iam: stack.iam, log: QUIET, ...config } as KnexConfig));
    onTestFinished(() => db.destroy());
    return db;
  };
  const one = async (db: Knex) => Number(rowsOf(await db.raw('select 1 as one'))[0]?.['one']);

  describe('a connection', () => {
    test.each<[string, () => object]>([
      ['as settings', () => connection],
      ['as a URL', () => url],
      ['as a URL within settings', () => (client === 'pg' ? { connectionString: url } : { uri: url })],
      ['as a function', () => () => ({ ...connection })],
      ['as an async function', () => async () => ({ ...connection })],
    ] as [string, () => object][])('%s', async (_, given) => {
      expect(await one(open({ connection: given() }))).toBe(1);
    });

    test('from a function is requested again when its expirationChecker says so, and then has its own token', async () => {
      let asked = 0;
      let expired = false;
      const provider = () => {
        asked++;
        expired = false;
        return { ...connection, expirationChecker: () => expired };
      };
      const db = open({ connection: provider, pool: { min: 0, max: 2 } });
      const sessions = [await db.client.acquireConnection()];
      expired = true;
      sessions.push(await db.client.acquireConnection());
      for (const session of sessions) await db.client.releaseConnection(session);
      expect(asked).toBe(2);
      expect(sessions[0]).not.toBe(sessions[1]);
    });

    test('as a URL in place of a configuration', async () => {
      const db = knex(withRdsIam(url));
      expect(db.client.config.connection).toMatchObject(client === 'pg' ? { connectionString: url } : { uri: url });
      await db.destroy();
    });

    test('as a URL is parsed like Knex does', async () => {
      const given = `${url}?application_name=a%20b&charset=utf8mb4&collate=utf8mb4_bin`;
      const plain = knex({ client, connection: given });
      const db = open({ connection: given });
      const { password: _, ...read } = plain.client.config.connection;
      expect(db.client.config.connection).toMatchObject(read);
      expect(db.client.database()).toBe(stack.database);
      expect(db.client.database()).toBe(plain.client.database());
      await plain.destroy();
    });
  });

  test.runIf(client === 'pg').each(['postgres', 'postgresql'] as const)('the spelling %s', async (spelling) => {
    expect(await one(open({ client: spelling }))).toBe(1);
    expect(await one(open({ client: undefined, dialect: spelling }))).toBe(1);
  });

  test.runIf(client === 'mysql2')("a URL's collation is used for new tables", async () => {
    const db = open({ connection: `${url}?charset=utf8mb4&collate=utf8mb4_bin` });
    await db.schema.createTable('collated', (table) => table.string('name', 7));
    onTestFinished(() => db.schema.dropTable('collated'));
    const [table] = rowsOf(await db.raw("show table status like 'collated'"));
    expect(table).toMatchObject({ Collation: 'utf8mb4_bin' });
  });

  test("the class has the same name as Knex's, by which other packages recognize the dialect", () => {
    expect(open().client.constructor.name).toBe(knex({ client }).client.constructor.name);
  });

  test("the user's own dialect class keeps its behavior", async () => {
    class Own extends (knex({ client }).client.constructor as typeof Knex.Client) {
      override wrapIdentifierImpl(value: string): string {
        return super.wrapIdentifierImpl(value.toLowerCase());
      }
    }
    const db = open({ client: Own });
    expect(db.client).toBeInstanceOf(Own);
    expect(db('Orders').toString()).toMatch(/from .orders./);
    expect(await one(db)).toBe(1);
  });

  test('Knex finds the database in a URL', async () => {
    const db = open({ connection: url });
    await db.schema.createTable('found', (table) => {
      table.increments('id');
      table.string('name', 7);
    });
    onTestFinished(() => db.schema.dropTable('found'));
    expect(await db.schema.hasTable('found')).toBe(true);
    expect(await db.schema.hasColumn('found', 'name')).toBe(true);
    expect(Object.keys(await db('found').columnInfo())).toEqual(['id', 'name']);
  });

  test('the other options pass through', async () => {
    const migrations = { tableName: 'history' };
    const seeds = { directory: './data' };
    const pool = { min: 0, max: 3, afterCreate: vi.fn((_connection, done) => done()) };
    const postProcessResponse = (result: unknown) => result;
    const given = { connection, migrations, seeds, pool, postProcessResponse, iam: stack.iam };
    const { client: _, ...config } = withRdsIam({ client, ...given } as KnexConfig);
    const { iam: __, ...others } = given;
    expect(config).toEqual(others);
    expect(await one(open(given))).toBe(1);
    expect(pool.afterCreate).toHaveBeenCalledOnce();
  });

  test('with IAM off, the configuration is returned unchanged except for "iam"', () => {
    const config = { client, connection: { ...connection, password: 'hunter2' } };
    for (const iam of [{ enabled: false }, createRdsIam({ enabled: false })]) {
      expect(withRdsIam({ ...config, iam } as object as KnexConfig)).toEqual(config);
    }
  });

  test('a transaction begins once its login succeeds, and its work is not done twice', async () => {
    const iam = createRdsIam(stack.iam);
    await one(open({ iam }));
    const throttle = { connectionsPerSecond: 0, action: 'deny', counting: 'logins' } as const;
    stack.emulator.setFaults({ throttle });
    const work = vi.fn((transaction: Knex.Transaction) => one(transaction));
    const before = stack.emulator.stats.connections;
    const result = open({ iam }).transaction(work);
    await vi.waitFor(() => expect(stack.emulator.stats.connections - before).toBeGreaterThan(3), 10_000);
    expect(work).not.toHaveBeenCalled();
    stack.emulator.setFaults({});
    expect(await result).toBe(1);
    expect(work).toHaveBeenCalledOnce();
  });

  describe('a login that fails for longer than Knex waits says why, not that the pool is full', () => {
    test.each<[string, Faults, object, object]>([
      [
        'acquireConnectionTimeout',
        { clockOffsetMs: 3_600_000 },
        { acquireConnectionTimeout: 3_000 },
        // The last attempt may be cut short.
        {
          code: expect.stringMatching(/^ERR_RDS_IAM_(REFUSED|UNREACHABLE)$/),
          username: expect.stringMatching(/^app_/),
        },
      ],
      [
        'pool.acquireTimeoutMillis',
        { hang: 'before-tls' },
        { acquireConnectionTimeout: 9_000, pool: { min: 0, acquireTimeoutMillis: 3_000 } },
        { code: 'ERR_RDS_IAM_UNREACHABLE' },
      ],
      [
        'pool.createTimeoutMillis',
        { hang: 'after-password' },
        { pool: { min: 0, createTimeoutMillis: 3_000 } },
        { code: 'ERR_RDS_IAM_UNREACHABLE' },
      ],
    ])('with %s', async (option, faults, options, expected) => {
      stack.emulator.setFaults(faults);
      const iam = { ...stack.iam, retry: { baseDelayMs: 20, maxDelayMs: 20, patienceMs: 30_000 } };
      const message = expect.stringContaining(`all that "${option}" allows`);
      await expect(open({ ...options, iam }).raw('select 1')).rejects.toMatchObject({ ...expected, message });
    });
  });

  const inTime = { timeout: 10_000 };
  test.each(['once', 'twice'])(
    'a pool that is initialized %s and destroyed ends every login',
    inTime,
    async (initialized) => {
      const iam = { ...stack.iam, retry: { baseDelayMs: 10, maxDelayMs: 10, patienceMs: 30_000 } };
      const db = open({ iam });
      stack.emulator.setFaults({ clockOffsetMs: 3_600_000 });
      const before = stack.emulator.stats.connections;
      const query = db.raw('select 1').then(
        () => expect.unreachable(),
        (error: unknown) => error,
      );
      await vi.waitFor(() => expect(stack.emulator.stats.connections - before).toBeGreaterThan(1), 10_000);
      if (initialized === 'twice') db.initialize();
      const atTheEnd = stack.emulator.stats.connections;
      await db.destroy();
      expect(stack.emulator.stats.connections - atTheEnd, 'attempts after the end').toBeLessThanOrEqual(1);
      await vi.waitFor(() => expect(stack.emulator.stats.open).toBe(0), 10_000);
      expect(await query).toBeInstanceOf(Error);
      stack.emulator.setFaults({});
      // Knex allows this after a destroy.
      db.initialize();
      expect(await one(db)).toBe(1);
    },
  );
});
