import { withRdsIam } from '@rds-iam/pg/postgres-js';
import postgres from 'postgres';
import { describeRecipe } from './describe-recipe.js';

describeRecipe({
  name: 'postgres.js',
  engine: 'postgres',
  connect(where) {
    const sql = postgres(withRdsIam({ ...where, max: 2 }));
    return {
      async createTable() {
        await sql`create table books (id serial primary key, title text not null)`;
      },
      async add(title) {
        await sql`insert into books ${sql({ title })}`;
      },
      async titles() {
        return (await sql<{ title: string }[]>`select title from books order by id`).map(({ title }) => title);
      },
      async addInTransaction(title, meanwhile) {
        await sql.begin(async (inside) => {
          await inside`insert into books ${inside({ title })}`;
          await meanwhile();
        });
      },
      end: () => sql.end(),
    };
  },
  // As it is.
  diagnosisOf: (error) => error,
});
