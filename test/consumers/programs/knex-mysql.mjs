import { withRdsIam } from '@rds-iam/knex';
import createKnex from 'knex';

const host = '127.0.0.1';
const port = Number(process.env.PORT);
const iam = {
  region: 'eu-west-1',
  credentials: {
    accessKeyId: process.env.ACCESS_KEY_ID ?? '',
    secretAccessKey: process.env.SECRET_ACCESS_KEY ?? '',
  },
  ca: process.env.CA ?? '',
};

const knex = createKnex(
  withRdsIam({ client: 'mysql2', connection: { host, port, user: 'app', database: 'shop' }, iam }),
);
console.log(JSON.stringify(await knex.select(knex.raw('current_user() as name'))));
await knex.destroy();
