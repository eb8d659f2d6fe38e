import pg from 'pg';

const { BENCH_HOSTNAME: host, BENCH_PORT: port, BENCH_PASSWORD: password, BENCH_ROOTS: ca } = process.env;
const pool = new pg.Pool({ host, port: Number(port), user: 'app', database: 'shop', max: 1, password, ssl: { ca } });
await pool.query('select 1');
process.stdout.write('0');
await pool.end();
