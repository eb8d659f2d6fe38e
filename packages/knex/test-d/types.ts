// Checked by `tsc` alone: each @ts-expect-error is a test that what follows does not compile.
import { type Knex, knex } from 'knex';
import { createRdsIam, isRdsIamError, type KnexConfig, type RdsIamErrorCode, withRdsIam } from '../src/index.js';

const credentials = async () => ({ accessKeyId: 'a', secretAccessKey: 'b' });
const connection = { host: 'db', user: 'app', database: 'shop' };

// Knex's own options pass through, with their own types, and the result is Knex's own configuration.
const db: Knex = knex(
  withRdsIam({
    client: 'pg',
    connection: { ...connection, application_name: 'shop', ssl: { ca: 'pem' }, statement_timeout: 1_000 },
    pool: { min: 0, max: 20, afterCreate: (_connection: unknown, done: () => void) => done() },
    migrations: { directory: './migrations' },
    seeds: { directory: './seeds' },
    searchPath: ['shop', 'public'],
    acquireConnectionTimeout: 10_000,
  }),
);
withRdsIam({ client: 'mysql2', connection: { ...connection, charset: 'utf8mb4', multipleStatements: true } });
withRdsIam({ client: 'postgres', connection: 'postgres://app@db/shop', iam: { region: 'eu-west-1' } });
withRdsIam({ client: 'postgresql', connection: { connectionString: 'postgres://app@db/shop' }, iam: createRdsIam() });
withRdsIam({ client: 'mysql2', connection: { uri: 'mysql://app@db/shop' }, iam: { retry: false } });
withRdsIam({ client: 'pg', connection: () => ({ ...connection, expirationChecker: () => false }) });
withRdsIam({ client: 'mysql2', connection: async () => connection, iam: { credentials } });
withRdsIam({ client: class extends knex.Client {}, connection });
withRdsIam('postgres://app@db/shop');

// A typed knexfile.
const knexfile: Record<string, Knex.Config> = {
  development: { client: 'pg', connection: { ...connection, password: 'secret' } },
  production: withRdsIam({ client: 'pg', connection }),
};

// A password is possible only where IAM may be off.
withRdsIam({ client: 'pg', connection: { ...connection, password: 'secret' }, iam: { enabled: false } });
const both: KnexConfig = {
  client: 'mysql2',
  connection: { ...connection, password: 'secret' },
  iam: { enabled: process.env['NODE_ENV'] === 'production' },
};
withRdsIam(both);
// @ts-expect-error a password beside IAM
withRdsIam({ client: 'pg', connection: { ...connection, password: 'secret' } });
// @ts-expect-error a password beside IAM options
withRdsIam({ client: 'mysql2', connection: { ...connection, password: 'secret' }, iam: { region: 'eu-west-1' } });
// @ts-expect-error a password beside a shared RdsIam
withRdsIam({ client: 'pg', connection: { ...connection, password: 'secret' }, iam: createRdsIam() });
// @ts-expect-error the digest of a password beside IAM
withRdsIam({ client: 'mysql2', connection: { ...connection, passwordSha1: 'digest' } });
// @ts-expect-error a function that gives a password beside IAM
withRdsIam({ client: 'pg', connection: () => ({ ...connection, password: 'secret' }) });
// @ts-expect-error an async function that gives a password beside IAM
withRdsIam({ client: 'mysql2', connection: async () => ({ ...connection, password: 'secret' }) });

// @ts-expect-error a misspelt option of Knex
withRdsIam({ client: 'pg', connection, acquireConnectionTimeut: 1_000 });
// @ts-expect-error a misspelt option of a connection
withRdsIam({ client: 'pg', connection: { hots: 'db', user: 'app' } });
// @ts-expect-error a misspelt option of a pool
withRdsIam({ client: 'pg', connection, pool: { maximum: 3 } });
// @ts-expect-error a misspelt IAM option
withRdsIam({ client: 'pg', connection, iam: { regoin: 'eu-west-1' } });
// @ts-expect-error an option of the other driver
withRdsIam({ client: 'pg', connection: { ...connection, enableKeepAlive: true } });
// @ts-expect-error an option of the other driver
withRdsIam({ client: 'mysql2', connection: { ...connection, application_name: 'shop' } });
// @ts-expect-error a driver without IAM
withRdsIam({ client: 'mysql', connection });
// @ts-expect-error a database without IAM
withRdsIam({ client: 'sqlite3', connection });
// @ts-expect-error no client
withRdsIam({ connection });
// @ts-expect-error a pool of the user's own
withRdsIam({ client: 'pg', connectionPool: {} });

// Codes are a closed set.
export function explain(error: unknown): string {
  if (!isRdsIamError(error)) return 'another';
  const code: RdsIamErrorCode = error.code;
  // @ts-expect-error no such code
  if (code === 'ERR_RDS_IAM_NO_SUCH') return '';
  return `${error.hostname}:${error.port} ${error.attempts}`;
}
void [db, knexfile];
