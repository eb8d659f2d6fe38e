// As AWS's documentation has it.
import { readFileSync } from 'node:fs';
import { Signer } from '@aws-sdk/rds-signer';
import pg from 'pg';

const { BENCH_HOSTNAME: host, BENCH_PORT, BENCH_BUNDLE } = process.env;
const port = Number(BENCH_PORT);
const signer = new Signer({ hostname: host, port, username: 'app' });
const pool = new pg.Pool({
  host,
  port,
  user: 'app',
  database: 'shop',
  max: 1,
  password: () => signer.getAuthToken(),
  ssl: { ca: readFileSync(BENCH_BUNDLE) },
});
await pool.query('select 1');
process.stdout.write('0');
await pool.end();
