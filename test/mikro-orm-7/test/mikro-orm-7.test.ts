import { EntitySchema } from '@mikro-orm/core';
import * as mysql from '@mikro-orm/mysql';
import * as postgres from '@mikro-orm/postgresql';
import { type Stack, startStack } from '@rds-iam/conformance';
import { withRdsIam as withRdsIamOnMysql2 } from '@rds-iam/mysql2';
import { withRdsIam as withRdsIamOnPg } from '@rds-iam/pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

interface Order {
  id: number;
  article: string;
  orderedAt: Date;
  details: { readonly color: string };
}

const OrderSchema = new EntitySchema<Order>({
  name: 'Order',
  tableName: 'orders',
  properties: {
    id: { type: 'integer', primary: true, autoincrement: true },
    article: { type: 'string', length: 50, unique: true },
    orderedAt: { type: 'Date', length: 3 },
    details: { type: 'json' },
  },
});

/** The connection in MikroORM's own options, without IAM. */
const configOf = ({ emulator, username: user, database: dbName }: Stack) => ({
  ...{ host: 'localhost', port: emulator.port, user, dbName, pool: { min: 0, max: 3 } },
  entities: [OrderSchema],
  multipleStatements: true,
  debug: false,
  logger: () => {},
});

const whereOf = ({ emulator, username: user }: Stack) => ({ host: 'localhost', port: emulator.port, user });

// The recipe: MikroORM makes the driver's pool itself, from its options merged with these.
const RECIPES = {
  postgres: (stack: Stack, iam = stack.iam) =>
    postgres.MikroORM.init({
      ...configOf(stack),
      driverOptions: withRdsIamOnPg({ ...whereOf(stack), database: stack.database, iam }),
    }),
  mysql: (stack: Stack, iam = stack.iam) =>
    mysql.MikroORM.init({
      ...configOf(stack),
      driverOptions: withRdsIamOnMysql2({ ...whereOf(stack), database: stack.database, iam }),
    }),
};

describe.each(['postgres', 'mysql'] as const)('MikroORM 7 on %s', (engine) => {
  let stack: Stack;
  let orm: postgres.MikroORM | mysql.MikroORM;
  beforeAll(async () => {
    stack = await startStack(engine);
  });
  beforeEach(async () => {
    orm = await RECIPES[engine](stack);
    const id = engine === 'postgres' ? 'serial' : 'int auto_increment';
    const [time, json] = engine === 'postgres' ? ['timestamptz(3)', 'jsonb'] : ['datetime(3)', 'json'];
    await orm.em
      .getConnection()
      .execute(
        `create table orders (id ${id} primary key, article varchar(50) unique, ordered_at ${time}, details ${json})`,
      );
  });
  afterEach(async () => {
    vi.useRealTimers();
    stack.emulator.setFaults({});
    await orm.em.getConnection().execute('drop table orders');
    await orm.close();
    await vi.waitFor(() => expect(stack.emulator.stats.open).toBe(0), 10_000);
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  const order = (article: string) => ({
    article,
    orderedAt: new Date('2026-01-02T03:04:05.678Z'),
    details: { color: 'red' },
  });

  test('a transaction is written and read back', async () => {
    await orm.em.fork().transactional(async (em) => {
      em.create(OrderSchema, order('lamp'));
    });
    expect(await orm.em.fork().findOneOrFail(OrderSchema, { article: 'lamp' })).toMatchObject(order('lamp'));
  });

  test.runIf(engine === 'mysql')('an option that MikroORM adds to ours takes effect', async () => {
    await expect(orm.em.getConnection().execute('select 1 as one; select 2 as two')).resolves.toBeDefined();
  });

  test('a failed transaction leaves nothing behind', async () => {
    const twice = orm.em.fork().transactional(async (em) => {
      await em.insert<Order>(OrderSchema, order('table'));
      await em.insert<Order>(OrderSchema, order('table'));
    });
    await expect(twice).rejects.toMatchObject({ name: 'UniqueConstraintViolationException' });
    expect(await orm.em.fork().count(OrderSchema)).toBe(0);
  });

  test('the pool grows after the first token has expired', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    await orm.em.fork().count(OrderSchema);
    const { accepted, distinctTokens } = stack.emulator.stats;
    vi.setSystemTime(Date.now() + 16 * 60_000);
    await orm.em.fork().transactional(async (em) => {
      await em.insert<Order>(OrderSchema, order('lamp'));
      expect(await orm.em.fork().count(OrderSchema), 'on another connection').toBe(0);
    });
    expect(stack.emulator.stats).toMatchObject({ accepted: accepted + 1, distinctTokens: distinctTokens + 1 });
  });

  test('a refused login says why', async () => {
    const another = await RECIPES[engine](stack, { ...stack.iam, retry: false });
    stack.emulator.setFaults({ clockOffsetMs: 60 * 60_000 });
    await expect(another.em.fork().count(OrderSchema)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_RDS_IAM_/),
    });
    await another.close();
  });
});
