import { withRdsIam } from '@rds-iam/sequelize';
import { Sequelize } from 'sequelize';

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

const sequelize = new Sequelize(
  withRdsIam({ dialect: 'mysql', host, port, username: 'app', database: 'shop', logging: false, iam }),
);
console.log(JSON.stringify(await sequelize.query('select current_user() as name')));
await sequelize.close();
