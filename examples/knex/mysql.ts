import knex from 'knex';
import knexfile from './knexfile.js';
import { visitShop } from './shop.js';

const db = knex(knexfile.mysql);
await db.migrate.latest();
await db.seed.run();
await visitShop(db, (line) => process.stdout.write(`${line}\n`));
await db.destroy();
