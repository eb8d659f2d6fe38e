import { createPool } from '@rds-iam/mysql2';
import { Pool } from '@rds-iam/pg';
import { type Generated, Kysely, MysqlDialect, PostgresDialect, sql } from 'kysely';
import { type Application, describeRecipe } from './describe-recipe.js';

interface Database {
  readonly books: { readonly id: Generated<number>; readonly title: string };
}

describeRecipe({
  name: 'Kysely on @rds-iam/pg',
  engine: 'postgres',
  connect(where) {
    const dialect = new PostgresDialect({ pool: new Pool({ ...where, max: 2 }) });
    const db = new Kysely<Database>({ dialect });
    return application(db);
  },
  // As it is.
  diagnosisOf: (error) => error,
});

describeRecipe({
  name: 'Kysely on @rds-iam/mysql2',
  engine: 'mysql',
  connect(where) {
    const dialect = new MysqlDialect({ pool: createPool({ ...where, connectionLimit: 2 }) });
    const db = new Kysely<Database>({ dialect });
    return application(db);
  },
  diagnosisOf: (error) => error,
});

function application(db: Kysely<Database>): Application {
  return {
    async createTable() {
      await sql`create table books (id serial primary key, title text not null)`.execute(db);
    },
    async add(title) {
      await db.insertInto('books').values({ title }).execute();
    },
    async titles() {
      return (await db.selectFrom('books').select('title').orderBy('id').execute()).map(({ title }) => title);
    },
    addInTransaction: (title, meanwhile) =>
      db.transaction().execute(async (inside) => {
        await inside.insertInto('books').values({ title }).execute();
        await meanwhile();
      }),
    end: () => db.destroy(),
  };
}
