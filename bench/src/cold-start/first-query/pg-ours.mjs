import { Pool } from '@rds-iam/pg';

const { BENCH_HOSTNAME: host, BENCH_PORT: port, BENCH_CA: ca } = process.env;
const pool = new Pool({ host, port: Number(port), user: 'app', database: 'shop', max: 1, ...(ca && { iam: { ca } }) });
const { user, system } = process.cpuUsage();
await pool.query('select 1');
const used = process.cpuUsage();
process.stdout.write(String(used.user + used.system - user - system));
await pool.end();
