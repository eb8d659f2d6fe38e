import * as mysql from '@rds-iam/mysql2';
import * as mysqlPromise from '@rds-iam/mysql2/promise';
import { Pool } from '@rds-iam/pg';
import { withRdsIam } from '@rds-iam/pg/postgres-js';
import { sql } from 'drizzle-orm';
import { serial as mysqlSerial, mysqlTable, text as mysqlText } from 'drizzle-orm/mysql-core';
import { drizzle as drizzleOnMysql2, type MySql2Database } from 'drizzle-orm/mysql2';
import { drizzle as drizzleOnPg } from 'drizzle-orm/node-postgres';
import { type PgDatabase, type PgQueryResultHKT, pgTable, serial, text } from 'drizzle-orm/pg-core';
import { drizzle as drizzleOnPostgresJs } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { type Application, describeRecipe } from './describe-recipe.js';

describeRecipe({
  name: 'Drizzle on @rds-iam/pg',
  engine: 'postgres',
  connect(where) {
    const pool = new Pool({ ...where, max: 2 });
    const db = drizzleOnPg({ client: pool });
    return onPostgres(db, () => pool.end());
  },
  diagnosisOf,
});

describeRecipe({
  name: 'Drizzle on postgres.js',
  engine: 'postgres',
  connect(where) {
    const client = postgres(withRdsIam({ ...where, max: 2 }));
    const db = drizzleOnPostgresJs({ client });
    return onPostgres(db, () => client.end());
  },
  diagnosisOf,
});

describeRecipe({
  name: 'Drizzle on @rds-iam/mysql2',
  engine: 'mysql',
  connect(where) {
    const pool = mysql.createPool({ ...where, connectionLimit: 2 });
    const db = drizzleOnMysql2({ client: pool });
    return onMysql(db, () => pool.promise().end());
  },
  diagnosisOf,
});

describeRecipe({
  name: 'Drizzle on @rds-iam/mysql2/promise',
  engine: 'mysql',
  connect(where) {
    const pool = mysqlPromise.createPool({ ...where, connectionLimit: 2 });
    const db = drizzleOnMysql2({ client: pool });
    return onMysql(db, () => pool.end());
  },
  diagnosisOf,
});

/** The `cause` of Drizzle's error for a failed query; Drizzle does not wrap the error of a transaction that cannot begin. */
function diagnosisOf(error: unknown, during: 'query' | 'transaction'): unknown {
  return during === 'query' ? (error as Error).cause : error;
}

function onPostgres<Result extends PgQueryResultHKT>(db: PgDatabase<Result>, end: () => Promise<void>): Application {
  const books = pgTable('books', { id: serial().primaryKey(), title: text().notNull() });
  return {
    async createTable() {
      await db.execute(sql`create table books (id serial primary key, title text not null)`);
    },
    async add(title) {
      await db.insert(books).values({ title });
    },
    async titles() {
      return (await db.select().from(books).orderBy(books.id)).map(({ title }) => title);
    },
    addInTransaction: (title, meanwhile) =>
      db.transaction(async (inside) => {
        await inside.insert(books).values({ title });
        await meanwhile();
      }),
    end,
  };
}

function onMysql(
  db: Pick<MySql2Database, 'execute' | 'insert' | 'select' | 'transaction'>,
  end: () => Promise<void>,
): Application {
  const books = mysqlTable('books', { id: mysqlSerial().primaryKey(), title: mysqlText().notNull() });
  return {
    async createTable() {
      await db.execute(sql`create table books (id serial primary key, title text not null)`);
    },
    async add(title) {
      await db.insert(books).values({ title });
    },
    async titles() {
      return (await db.select().from(books).orderBy(books.id)).map(({ title }) => title);
    },
    addInTransaction: (title, meanwhile) =>
      db.transaction(async (inside) => {
        await inside.insert(books).values({ title });
        await meanwhile();
      }),
    end,
  };
}
