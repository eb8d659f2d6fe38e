import { type Stack, startStack } from '@rds-iam/conformance';
import { type Knex, knex } from 'knex';
import { Model, UniqueViolationError } from 'objection';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withRdsIam } from '../src/index.js';
import { configOf, DIALECTS } from './subject.js';

class Customer extends Model {
  static override tableName = 'customers';
  declare id: number;
  declare name: string;
  declare orders?: Order[];

  static override relationMappings = () => ({
    orders: {
      relation: Model.HasManyRelation,
      modelClass: Order,
      join: { from: 'customers.id', to: 'orders.customerId' },
    },
  });
}

class Order extends Model {
  static override tableName = 'orders';
  declare id: number;
  declare customerId: number;
  declare details: { readonly lines: readonly string[] };

  static override jsonAttributes = ['details'];
}

describe.each(DIALECTS)('Objection on Knex with $client', (dialect) => {
  let stack: Stack;
  let db: Knex;
  beforeAll(async () => {
    stack = await startStack(dialect.engine);
    const { emulator, username, database, iam } = stack;
    db = knex(withRdsIam(configOf(dialect, { hostname: 'localhost', port: emulator.port, username, database, iam })));
    await db.schema.createTable('customers', (table) => {
      table.increments('id');
      table.string('name', 50).unique();
    });
    await db.schema.createTable('orders', (table) => {
      table.increments('id');
      table.integer('customerId').unsigned().references('customers.id');
      table.json('details');
    });
  });
  afterAll(async () => {
    await db.destroy();
    await stack[Symbol.asyncDispose]();
  });

  test('a graph is inserted in a transaction and read with its relations', async () => {
    await Customer.transaction(db, async (transaction) => {
      await Customer.query(transaction).insertGraph({ name: 'Ada', orders: [{ details: { lines: ['tea'] } }] });
    });
    const found = await Customer.query(db).findOne({ name: 'Ada' }).withGraphFetched('orders');
    expect(found?.toJSON()).toMatchObject({ name: 'Ada', orders: [{ details: { lines: ['tea'] } }] });
  });

  test('a failed transaction leaves nothing behind', async () => {
    const twice = Customer.transaction(db, async (transaction) => {
      await Customer.query(transaction).insert({ name: 'Bob' });
      await Customer.query(transaction).insert({ name: 'Bob' });
    });
    await expect(twice).rejects.toThrow(UniqueViolationError);
    expect(await Customer.query(db).where({ name: 'Bob' })).toEqual([]);
  });
});
