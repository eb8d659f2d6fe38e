import mysql from '@rds-iam/mysql2/promise';

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

const pool = mysql.createPool({ host, port, user: 'app', database: 'shop', iam });
const [rows] = await pool.query('select current_user() as name');
console.log(JSON.stringify(rows));
await pool.end();
