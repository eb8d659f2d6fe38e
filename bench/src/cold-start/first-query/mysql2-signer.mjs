// As AWS's documentation has it: a connection for each token, as mysql2 takes no function for a password.
import { readFileSync } from 'node:fs';
import { Signer } from '@aws-sdk/rds-signer';
import { createPool } from 'mysql2/promise';

const { BENCH_HOSTNAME: host, BENCH_PORT, BENCH_BUNDLE } = process.env;
const port = Number(BENCH_PORT);
const pool = createPool({
  host,
  port,
  user: 'app',
  database: 'shop',
  connectionLimit: 1,
  password: await new Signer({ hostname: host, port, username: 'app' }).getAuthToken(),
  enableCleartextPlugin: true,
  ssl: { ca: readFileSync(BENCH_BUNDLE), verifyIdentity: true },
});
await pool.query('select 1');
process.stdout.write('0');
await pool.end();
