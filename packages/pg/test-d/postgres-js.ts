// Checked by `tsc` alone: each @ts-expect-error is a test that what follows does not compile.
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';
import postgres from 'postgres';
import { createRdsIam, type Options, withRdsIam } from '../src/postgres-js.js';

// postgres.js's own options pass through, with their own types, and what comes back is for postgres().
const sql: postgres.Sql = postgres(withRdsIam({ host: 'db', port: 5432, user: 'app', database: 'app', max: 20 }));
postgres(withRdsIam('postgres://app@db/app'));
postgres(withRdsIam('postgres://app@db/app', { idle_timeout: 20, ssl: { ca: 'pem' }, iam: { region: 'eu-west-1' } }));
postgres(withRdsIam());
postgres(withRdsIam({ host: 'db', onnotice: (notice) => notice['message'], iam: createRdsIam() }));
postgres(withRdsIam({ host: 'db', iam: { credentials: fromNodeProviderChain(), retry: false } }));

// The types of values are known to queries as without it.
const typed = postgres(withRdsIam({ host: 'db', types: { bigint: postgres.BigInt } }));
void typed`select ${typed.typed.bigint(1n)}`;
// @ts-expect-error no such type
typed.typed.date;
void sql;

// A password is possible only where IAM may be off.
withRdsIam({ host: 'db', password: 'secret', iam: { enabled: false } });
withRdsIam('postgres://app@db/app', { pass: async () => 'secret', iam: { enabled: Math.random() > 2 } });
const both: Options = { host: 'db', password: 'secret', iam: { enabled: process.env['NODE_ENV'] === 'production' } };
withRdsIam(both);
// @ts-expect-error a password beside IAM
withRdsIam({ host: 'db', password: 'secret' });
// @ts-expect-error its other name
withRdsIam({ host: 'db', pass: 'secret' });
// @ts-expect-error a password beside IAM options
withRdsIam('postgres://app@db/app', { password: 'secret', iam: { region: 'eu-west-1' } });

// @ts-expect-error a misspelt option of postgres.js
withRdsIam({ hots: 'db' });
// @ts-expect-error a misspelt IAM option
withRdsIam({ host: 'db', iam: { regoin: 'eu-west-1' } });
// @ts-expect-error a port that is no number
withRdsIam({ host: 'db', port: '5432' });
// @ts-expect-error an option of pg
withRdsIam({ connectionString: 'postgres://app@db/app' });
