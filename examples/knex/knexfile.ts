import { withRdsIam } from '@rds-iam/knex';

const connection = { host: 'mydb.abc123.eu-west-1.rds.amazonaws.com', user: 'app', database: 'shop' };

// An environment for each engine: knex migrate:latest --env postgres
export default {
  postgres: withRdsIam({ client: 'pg', connection }),
  mysql: withRdsIam({ client: 'mysql2', connection }),
};
