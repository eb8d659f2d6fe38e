import { withRdsIam } from '@rds-iam/knex';

const { client, connection, iam } = JSON.parse(process.env.CONFIG);
const files = { migrations: { loadExtensions: ['.mjs'] }, seeds: { loadExtensions: ['.mjs'] } };

export default {
  development: { client, connection: { host: 'localhost', user: 'nobody', password: 'none' }, ...files },
  production: withRdsIam({ client, connection, iam, ...files }),
};
