import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withRdsIam as withRdsIamOnMysql2 } from '@rds-iam/mysql2';
import { withRdsIam as withRdsIamOnPg } from '@rds-iam/pg';
import { Database } from '@strapi/database';
import { describeRecipe } from './describe-recipe.js';

type Config = ConstructorParameters<typeof Database>[0];

const BOOK = {
  ...{ uid: 'book', singularName: 'book', modelName: 'book', tableName: 'books' },
  attributes: { id: { type: 'increments' }, title: { type: 'string' } },
};

/** Strapi's database with one model, configured as in `config/database.ts`. */
function strapiWith(connection: object) {
  const database = new Database({
    connection: { ...connection, pool: { min: 0, max: 2 } } as Config['connection'],
    logger: { info() {}, debug() {}, warn() {}, error() {} },
    settings: {
      forceMigration: true,
      runMigrations: false,
      migrations: { dir: mkdtempSync(join(tmpdir(), 'strapi-')) },
    },
  } as Config);
  const ready = database.init({ models: [BOOK] as never });
  const books = async () => (await ready).queryBuilder('book');
  const add = async (title: string) => void (await (await books()).insert({ title }).execute());
  // Strapi treats everything that is awaited within a transaction as a part of it.
  const outside = AsyncLocalStorage.snapshot();
  return {
    createTable: async () => void (await (await ready).schema.sync()),
    add: (title: string) => outside(add, title),
    async titles() {
      const rows = await (await books()).select(['id', 'title']).orderBy({ id: 'asc' }).execute<{ title: string }[]>();
      return rows.map(({ title }) => title);
    },
    async addInTransaction(title: string, meanwhile: () => Promise<void>) {
      await (await ready).transaction(async () => {
        await add(title);
        await meanwhile();
      });
    },
    end: () => database.destroy(),
  };
}

describeRecipe({
  name: 'Strapi on PostgreSQL',
  engine: 'postgres',
  connect: (where) => strapiWith({ client: 'postgres', connection: withRdsIamOnPg(where) }),
  // As it is.
  diagnosisOf: (error) => error,
});

describeRecipe({
  name: 'Strapi on MySQL',
  engine: 'mysql',
  connect: (where) => strapiWith({ client: 'mysql', connection: withRdsIamOnMysql2(where) }),
  diagnosisOf: (error) => error,
});
