import { createPool } from 'mysql2/promise';

const { BENCH_HOSTNAME: host, BENCH_PORT: port, BENCH_PASSWORD: password, BENCH_ROOTS: ca } = process.env;
const pool = createPool({
  host,
  port: Number(port),
  user: 'app',
  database: 'shop',
  connectionLimit: 1,
  password,
  enableCleartextPlugin: true,
  ssl: { ca, verifyIdentity: true },
});
await pool.query('select 1');
process.stdout.write('0');
await pool.end();
