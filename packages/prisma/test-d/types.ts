// Checked by `tsc` alone: each @ts-expect-error is a test that what follows does not compile.
import type { SqlDriverAdapterFactory } from '@prisma/client/runtime/client';
import { createRdsIam, createRdsIamAdapter, type MysqlOptions, type PostgresqlOptions } from '../src/index.js';

// What comes back is what PrismaClient takes.
const adapters: SqlDriverAdapterFactory[] = [
  createRdsIamAdapter({ provider: 'postgresql', host: 'db', user: 'app', database: 'app' }),
  createRdsIamAdapter({ provider: 'mysql', host: 'db', user: 'app', database: 'app' }),
];
void adapters;

// The drivers' own options pass through, with their own types, and the adapters' beside them.
createRdsIamAdapter(
  { provider: 'postgresql', host: 'db', port: 5432, max: 20, ssl: { ca: 'pem' } },
  { schema: 'shop' },
);
createRdsIamAdapter({ provider: 'mysql', host: 'db', port: 3306, connectionLimit: 20, ssl: { ca: 'pem' } });
createRdsIamAdapter({ provider: 'mysql', host: 'db' }, { database: 'shop', useTextProtocol: true });
createRdsIamAdapter({ provider: 'postgresql', connectionString: 'postgres://app@db/app', max: 20 });
createRdsIamAdapter({ provider: 'mysql', connectionString: 'mysql://app@db/app', iam: createRdsIam() });

// A password is possible only where IAM may be off.
const postgresql: PostgresqlOptions = {
  provider: 'postgresql',
  host: 'db',
  password: 'secret',
  iam: { enabled: process.env['NODE_ENV'] === 'production' },
};
const mysql: MysqlOptions = { provider: 'mysql', host: 'db', password: 'secret', iam: { enabled: false } };
createRdsIamAdapter(postgresql);
createRdsIamAdapter(mysql);
// @ts-expect-error a password beside IAM
createRdsIamAdapter({ provider: 'postgresql', host: 'db', password: 'secret' });
// @ts-expect-error a password beside IAM
createRdsIamAdapter({ provider: 'mysql', host: 'db', password: 'secret' });
// @ts-expect-error a password beside a shared RdsIam
createRdsIamAdapter({ provider: 'postgresql', host: 'db', password: 'secret', iam: createRdsIam() });

// @ts-expect-error no provider
createRdsIamAdapter({ host: 'db' });
// @ts-expect-error a provider of Prisma's that has no IAM login
createRdsIamAdapter({ provider: 'sqlite', host: 'db' });
// @ts-expect-error a misspelt option of pg
createRdsIamAdapter({ provider: 'postgresql', hots: 'db' });
// @ts-expect-error a misspelt option of mariadb
createRdsIamAdapter({ provider: 'mysql', hots: 'db' });
// @ts-expect-error an option of the other engine's driver
createRdsIamAdapter({ provider: 'postgresql', host: 'db', connectionLimit: 20 });
// @ts-expect-error an option of the other engine's driver
createRdsIamAdapter({ provider: 'mysql', host: 'db', max: 20 });
// @ts-expect-error an option of the other engine's adapter
createRdsIamAdapter({ provider: 'postgresql', host: 'db' }, { useTextProtocol: true });
// @ts-expect-error the pool is the adapter's own
createRdsIamAdapter({ provider: 'postgresql', host: 'db' }, { disposeExternalPool: true });
// @ts-expect-error for mysql, a connection string has all options in it
createRdsIamAdapter({ provider: 'mysql', connectionString: 'mysql://app@db/app', connectionLimit: 20 });
// @ts-expect-error a misspelt IAM option
createRdsIamAdapter({ provider: 'postgresql', host: 'db', iam: { regoin: 'eu-west-1' } });
// @ts-expect-error a port that is no number
createRdsIamAdapter({ provider: 'mysql', host: 'db', port: '3306' });
