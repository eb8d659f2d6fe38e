import { createPool } from '@rds-iam/mysql2/promise';

const { BENCH_HOSTNAME: host, BENCH_PORT: port } = process.env;
const pool = createPool({ host, port: Number(port), user: 'app', database: 'shop', connectionLimit: 1 });
await pool.query('select 1');
process.stdout.write('0');
await pool.end();
