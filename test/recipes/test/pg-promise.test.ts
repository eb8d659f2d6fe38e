import { withRdsIam } from '@rds-iam/pg';
import pgPromise from 'pg-promise';
import { describeRecipe } from './describe-recipe.js';

const pgp = pgPromise({ noWarnings: true });

describeRecipe({
  name: 'pg-promise',
  engine: 'postgres',
  connect(where) {
    const db = pgp(withRdsIam({ ...where, max: 2 }) as Parameters<typeof pgp>[0]);
    return {
      async createTable() {
        // Without the pool, with a Client that pg-promise makes itself.
        const connection = await db.connect({ direct: true });
        await connection.none('create table books (id serial primary key, title text not null)');
        await connection.done();
      },
      async add(title) {
        await db.none('insert into books (title) values ($1)', title);
      },
      titles: () => db.map('select title from books order by id', [], ({ title }) => title),
      addInTransaction: (title, meanwhile) =>
        db.tx(async (inside) => {
          await inside.none('insert into books (title) values ($1)', title);
          await meanwhile();
        }),
      end: () => db.$pool.end(),
    };
  },
  // As it is.
  diagnosisOf: (error) => error,
});
