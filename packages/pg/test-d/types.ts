// Checked by `tsc` alone: each @ts-expect-error is a test that what follows does not compile.
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';
import type { PoolClient, QueryResult } from 'pg';
import ours, {
  Client,
  createRdsIam,
  isRdsIamError,
  Pool,
  type PoolConfig,
  type RdsIamErrorCode,
  type PoolClient as SamePoolClient,
} from '../src/index.js';

// pg's own options pass through, with their own types.
new Pool({
  host: 'db',
  port: 5432,
  user: 'app',
  database: 'app',
  max: 20,
  idleTimeoutMillis: 1_000,
  ssl: { ca: 'pem' },
});
new Pool({ connectionString: 'postgres://app@db/app', iam: { region: 'eu-west-1' } });
new Pool();
new Client('postgres://app@db/app');
new Client({ host: 'db', application_name: 'x', iam: createRdsIam() });
new Pool({ host: 'db', iam: { credentials: fromNodeProviderChain() } });
new Pool({ host: 'db', iam: { credentials: { accessKeyId: 'a', secretAccessKey: 'b' }, retry: false } });

// A password is possible only where IAM may be off.
new Pool({ host: 'db', password: 'secret', iam: { enabled: false } });
new Pool({ host: 'db', password: async () => 'secret', iam: { enabled: Math.random() > 2 } });
const both: PoolConfig = { host: 'db', password: 'secret', iam: { enabled: process.env['NODE_ENV'] === 'production' } };
new Pool(both);
// @ts-expect-error a password beside IAM
new Pool({ host: 'db', password: 'secret' });
// @ts-expect-error a password beside IAM options
new Pool({ host: 'db', password: 'secret', iam: { region: 'eu-west-1' } });
// @ts-expect-error a password beside a shared RdsIam
new Client({ host: 'db', password: 'secret', iam: createRdsIam() });

// @ts-expect-error a misspelt option of pg
new Pool({ hots: 'db' });
// @ts-expect-error a misspelt IAM option
new Pool({ host: 'db', iam: { regoin: 'eu-west-1' } });
// @ts-expect-error an option of another type
new Pool({ host: 'db', iam: { refreshBeforeExpiryMs: '2m' } });
// @ts-expect-error a port that is no number
new Pool({ host: 'db', port: '5432' });

// What comes back is pg's.
const pool = new Pool();
const client: Promise<PoolClient> = pool.connect();
const rows: Promise<QueryResult<{ id: number }>> = pool.query<{ id: number }>('select 1 as id');
pool.on('error', (error, which) => [error.message, which.release]);
void [client, rows];

// Codes are a closed set.
export function explain(error: unknown): string {
  if (!isRdsIamError(error)) return 'another';
  const code: RdsIamErrorCode = error.code;
  // @ts-expect-error no such code
  if (code === 'ERR_RDS_IAM_NO_SUCH') return '';
  return `${error.hostname}:${error.port} ${error.attempts}`;
}

// Types are there by name and by default import, as of pg.
export async function byDefaultImport(pool: ours.Pool): Promise<ours.QueryResult<{ one: number }>> {
  const client: PoolClient & SamePoolClient & ours.PoolClient = await pool.connect();
  const result: QueryResult<{ one: number }> = await client.query('select 1 as one');
  ours.types.setTypeParser(20, BigInt);
  return result;
}
