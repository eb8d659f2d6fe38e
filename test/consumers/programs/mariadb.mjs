import mariadb from '@rds-iam/mysql2/mariadb';

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

const pool = mariadb.createPool({ host, port, user: 'app', database: 'shop', iam });
console.log(JSON.stringify(await pool.query('select current_user() as name')));
await pool.end();
