import { CREDENTIALS, REGION, type Row, type Stack, startStack } from '@rds-iam/conformance';
import { type Emulator, startEmulator } from '@rds-iam/emulator';
import * as v7 from '@sequelize/core';
import { MariaDbDialect } from '@sequelize/mariadb';
import { MySqlDialect } from '@sequelize/mysql';
import { PostgresDialect } from '@sequelize/postgres';
import * as v6 from 'sequelize';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createRdsIam, isRdsIamError, withRdsIam } from '../src/index.js';
import { withRdsIam as withRdsIam7 } from '../src/v7.js';

/** What both major versions have in common, with the types of the older one. */
type Either = Pick<v6.Sequelize, 'query' | 'transaction' | 'close'>;

const DIALECTS = { postgres: PostgresDialect, mysql: MySqlDialect, mariadb: MariaDbDialect };

const VALUES = {
  day: '2024-02-29',
  moment: new Date('2024-02-29T12:34:56.000Z'),
  amount: '12.50',
  large: '9007199254740993',
  flag: true,
  bytes: Buffer.from([0, 1, 255]),
  document: { nested: [1, 'two', null] },
};

describe.each(['postgres', 'mysql', 'mariadb'] as const)('%s', (dialect) => {
  const engine = dialect === 'postgres' ? 'postgres' : 'mysql';
  let stack: Stack;
  /** Another server, with another CA, in front of the same database. */
  let replica: Emulator;
  const open: { close(): Promise<void> }[] = [];
  beforeAll(async () => {
    stack = await startStack(engine);
    replica = await startEmulator({ engine, upstream: stack.upstream, region: REGION, accessKeys: [CREDENTIALS] });
  });
  afterEach(async () => {
    stack.emulator.setFaults({});
    await Promise.all(open.splice(0).map((sequelize) => sequelize.close()));
    await vi.waitFor(() => expect(stack.emulator.stats.open + replica.stats.open).toBe(0), 10_000);
  });
  afterAll(async () => {
    await replica.close();
    await stack[Symbol.asyncDispose]();
  });

  const iam = (more: object = {}) => ({ ...stack.iam, ca: [stack.emulator.ca, replica.ca], ...more });
  const fields = (name: 'username' | 'user') => ({
    host: 'localhost',
    port: stack.emulator.port,
    [name]: stack.username,
    database: stack.database,
    logging: false as const,
  });
  const newSequelize6 = (options: object = {}): v6.Sequelize => {
    const sequelize = new v6.Sequelize(withRdsIam({ dialect, ...fields('username'), iam: iam(), ...options }));
    open.push(sequelize);
    return sequelize;
  };
  const newSequelize7 = (options: object = {}) => {
    const given = { dialect: DIALECTS[dialect as 'postgres'], ...fields('user'), iam: iam(), ...options };
    const sequelize = new v7.Sequelize(withRdsIam7(given));
    open.push(sequelize);
    return sequelize;
  };
  const deny = { throttle: { connectionsPerSecond: 0, action: 'deny', counting: 'logins' } } as const;

  describe.each<[string, (options?: object) => Either]>([
    ['Sequelize 6', newSequelize6],
    ['Sequelize 7', newSequelize7 as unknown as () => Either],
  ])('%s', (name, newSequelize) => {
    const select = (sequelize: Either, sql: string) => sequelize.query<Row>(sql, { type: v6.QueryTypes.SELECT });

    test('replicas and the writer each get their own token', async () => {
      const places: string[] = [];
      const node = (port: number) => ({ host: 'localhost', port });
      const sequelize = newSequelize({
        replication: { write: node(stack.emulator.port), read: [node(replica.port)] },
        hooks: {
          beforeConnect: ({ host, port }: { host: string; port: number }) => void places.push(`${host}:${port}`),
        },
      });
      const before = [stack.emulator.stats.accepted, replica.stats.accepted];
      await sequelize.query('create table written (id int)');
      await select(sequelize, 'select * from written');
      await sequelize.query('drop table written');
      // A token for another port would be refused: see the emulator's own tests.
      expect(stack.emulator.stats.accepted).toBeGreaterThan(before[0] ?? 0);
      expect(replica.stats.accepted).toBe((before[1] ?? 0) + 1);
      expect([...new Set(places)].sort(), "the user's own hooks ran").toEqual(
        [`localhost:${replica.port}`, `localhost:${stack.emulator.port}`].sort(),
      );
    });

    test('a login ends before Sequelize stops waiting, and says so', async () => {
      stack.emulator.setFaults({ hang: 'before-authentication' });
      const error: Error & { parent?: Error } = await select(
        newSequelize({ pool: { acquire: 1_000 } }),
        'select 1',
      ).catch((reason) => reason);
      const diagnosis = [error, error.parent, error.cause].find(isRdsIamError);
      expect(diagnosis?.message).toContain('all that "pool.acquire" allows');
    });

    test('a transaction begins although its connection is throttled at first', async () => {
      // The user has logged in before, so this counts as throttling and not as a refusal.
      const shared = createRdsIam(iam());
      await select(newSequelize({ iam: shared }), 'select 1');
      const sequelize = newSequelize({ iam: shared });
      stack.emulator.setFaults(deny);
      const before = stack.emulator.stats.refused.throttled;
      const result = sequelize.transaction(async () => 'committed');
      await vi.waitFor(() => expect(stack.emulator.stats.refused.throttled - before).toBeGreaterThan(3), 10_000);
      stack.emulator.setFaults({});
      expect(await result).toBe('committed');
    });

    test("which Sequelize's own retry does not do", async () => {
      const sequelize = newSequelize({ iam: iam({ retry: false }), retry: { max: 5, match: [/./] } });
      stack.emulator.setFaults(deny);
      const before = stack.emulator.stats.refused.throttled;
      await expect(sequelize.transaction(async () => 'committed')).rejects.toThrow();
      expect(stack.emulator.stats.refused.throttled - before).toBe(1);
    });

    test("the error of a login is one of Sequelize's, with ours in it", async () => {
      stack.emulator.setFaults({ clockOffsetMs: 3_600_000 });
      const error = await select(newSequelize(), 'select 1').catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ name: 'SequelizeConnectionError', message: expect.stringMatching(/refused/) });
      const where = name === 'Sequelize 6' ? 'parent' : 'cause';
      expect((error as Row)[where]).toMatchObject({
        name: 'RdsIamError',
        code: 'ERR_RDS_IAM_REFUSED',
        username: stack.username,
      });
    });
  });

  const ASKS_FOR_TLS = ['ssl=true', 'ssl=1', dialect === 'postgres' ? 'sslmode=require' : 'ssl-mode=REQUIRED'];
  test.each(ASKS_FOR_TLS)('Sequelize 6 with a URL that asks for TLS with %s', async (parameter) => {
    const url = `${dialect}://${stack.username}@localhost:${stack.emulator.port}/${stack.database}?${parameter}`;
    const sequelize = new v6.Sequelize(...withRdsIam(url, { iam: iam(), logging: false }));
    open.push(sequelize);
    await sequelize.authenticate();
  });

  test.each<[string, (options?: object) => v6.Sequelize, typeof v6.DataTypes]>([
    ['Sequelize 6', newSequelize6, v6.DataTypes],
    ['Sequelize 7', newSequelize7 as never, v7.DataTypes as never],
  ])('%s: models read what they read with the plain driver', async (_, newSequelize, DataTypes) => {
    const { hostname, port } = stack.upstream;
    const plain = newSequelize({ host: hostname, port, iam: { enabled: false }, password: '' });
    const readBy = async (sequelize: v6.Sequelize, name: string) => {
      const Thing = sequelize.define(
        name,
        {
          day: DataTypes.DATEONLY,
          moment: DataTypes.DATE,
          amount: DataTypes.DECIMAL(10, 2),
          large: DataTypes.BIGINT,
          flag: DataTypes.BOOLEAN,
          bytes: DataTypes.BLOB,
          // For the dialect mysql, Sequelize 7 writes SQL that MariaDB does not understand.
          ...(dialect !== 'mysql' && { document: DataTypes.JSON }),
        },
        { timestamps: false },
      );
      await Thing.sync();
      await Thing.create({ ...VALUES });
      const [found] = await Thing.findAll();
      await Thing.drop();
      return found?.get();
    };
    const ours = await readBy(newSequelize(), 'Ours');
    expect(ours).toMatchObject({ day: VALUES.day, moment: VALUES.moment, bytes: VALUES.bytes });
    expect(ours).toEqual(await readBy(plain, 'Theirs'));
  });
});

test("the driver's other options pass through", async () => {
  await using stack = await startStack('postgres');
  const { emulator, username, database, iam } = stack;
  const place = { host: 'localhost', port: emulator.port, database, iam, logging: false as const };
  const six = new v6.Sequelize(
    withRdsIam({ dialect: 'postgres', ...place, username, dialectOptions: { application_name: 'six' } }),
  );
  const url = `postgres://${username}@localhost:${emulator.port}/${database}?application_name=by-url`;
  const byUrl = new v6.Sequelize(...withRdsIam(url, { iam, logging: false }));
  const seven = new v7.Sequelize(
    withRdsIam7({ dialect: PostgresDialect, ...place, user: username, application_name: 'seven' }),
  );
  const names = await Promise.all(
    [six, byUrl, seven].map(async (sequelize) => {
      const [rows] = await (sequelize as v6.Sequelize).query("select current_setting('application_name') as name");
      await sequelize.close();
      return (rows as Row[])[0]?.['name'];
    }),
  );
  expect(names).toEqual(['six', 'by-url', 'seven']);
});
