import { withRdsIam } from '@rds-iam/typeorm';
import { DataSource } from 'typeorm';
import { CreateShop1700000000000, Orders, Products } from './schema.js';

/** For the program and for TypeORM's command line: npx typeorm migration:run -d mysql-data-source.js */
export default new DataSource(
  withRdsIam({
    type: 'mysql',
    host: 'mydb.abc123.eu-west-1.rds.amazonaws.com',
    username: 'app',
    database: 'shop',
    entities: [Products, Orders],
    migrations: [CreateShop1700000000000],
  }),
);
