import { EntitySchema } from '@mikro-orm/core';
import * as mysql from '@mikro-orm/mysql';
import * as postgres from '@mikro-orm/postgresql';
import { type Stack, startStack } from '@rds-iam/conformance';
import { withRdsIam } from '@rds-iam/knex';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

const MINUTE = 60_000;

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
  debug: false,
  logger: () => {},
});

// The recipe: MikroORM's own Knex dialect, on which its queries are built, with IAM logins.
const RECIPES = {
  postgres: (stack: Stack, iam = stack.iam) =>
    postgres.MikroORM.init({
      ...configOf(stack),
      driverOptions: withRdsIam({ client: postgres.PostgreSqlKnexDialect, iam }),
    }),
  mysql: (stack: Stack, iam = stack.iam) =>
    mysql.MikroORM.init({
      ...configOf(stack),
      driverOptions: withRdsIam({ client: mysql.MySqlKnexDialect, iam }),
    }),
};

describe.each(['postgres', 'mysql'] as const)('MikroORM 6 on %s', (engine) => {
  let stack: Stack;
  let orm: postgres.MikroORM | mysql.MikroORM;
  beforeAll(async () => {
    stack = await startStack(engine);
  });
  beforeEach(async () => {
    orm = await RECIPES[engine](stack);
    for (const sql of (await orm.schema.getCreateSchemaSQL()).split(';\n').filter((part) => part.includes('orders'))) {
      await orm.em.getConnection().execute(sql);
    }
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
    expect(stack.emulator.stats.accepted).toBeGreaterThan(0);
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
    vi.setSystemTime(Date.now() + 16 * MINUTE);
    await orm.em.fork().transactional(async (em) => {
      await em.insert<Order>(OrderSchema, order('lamp'));
      expect(await orm.em.fork().count(OrderSchema), 'on another connection').toBe(0);
    });
    expect(stack.emulator.stats).toMatchObject({ accepted: accepted + 1, distinctTokens: distinctTokens + 1 });
  });

  test('a refused login says why, for a query and at the start', async () => {
    const another = await RECIPES[engine](stack, { ...stack.iam, retry: false });
    stack.emulator.setFaults({ clockOffsetMs: 60 * MINUTE });
    await another.em.fork().transactional(async () => {
      await expect(another.em.fork().count(OrderSchema), 'on another connection').rejects.toMatchObject({
        name: 'DriverException',
        code: expect.stringMatching(/^ERR_RDS_IAM_/),
        hostname: 'localhost',
      });
    });
    await another.close();
    await expect(RECIPES[engine](stack)).rejects.toMatchObject({
      name: 'RdsIamError',
      code: 'ERR_RDS_IAM_REFUSED',
      attempts: expect.any(Number),
    });
  });
});
