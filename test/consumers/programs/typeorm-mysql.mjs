import { withRdsIam } from '@rds-iam/typeorm';
import { DataSource } from 'typeorm';

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

const dataSource = new DataSource(withRdsIam({ type: 'mysql', host, port, username: 'app', database: 'shop', iam }));
await dataSource.initialize();
console.log(JSON.stringify(await dataSource.query('select current_user() as name')));
await dataSource.destroy();
