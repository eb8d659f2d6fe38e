// Checked by `tsc` alone: each @ts-expect-error is a test that what follows does not compile.
import { DataSource, type DataSourceOptions } from 'typeorm';
import {
  createRdsIam,
  isRdsIamError,
  type RdsIamDataSourceOptions,
  type RdsIamErrorCode,
  withRdsIam,
} from '../src/index.js';

// TypeORM's own options pass through, with their own types, and what comes back is TypeORM's.
new DataSource(
  withRdsIam({ type: 'postgres', host: 'db', username: 'app', database: 'shop', poolSize: 20, ssl: true }),
);
new DataSource(withRdsIam({ type: 'postgres', url: 'postgres://app@db/shop', iam: { region: 'eu-west-1' } }));
new DataSource(withRdsIam({ type: 'mysql', host: 'db', username: 'app', timezone: 'Z', extra: { maxIdle: 1 } }));
new DataSource(withRdsIam({ type: 'mariadb', url: 'mariadb://app@db/shop', iam: createRdsIam(), entities: [] }));
const given: DataSourceOptions = withRdsIam({
  type: 'postgres',
  parseInt8: true,
  migrations: ['dist/migrations/*.js'],
});
const node = { host: 'db', username: 'app' };
withRdsIam({ type: 'postgres', replication: { master: node, slaves: [node, node], defaultMode: 'master' } });
withRdsIam({ type: 'mysql', replication: { master: node, slaves: [{ url: 'mysql://app@db' }], selector: 'RR' } });
// Frameworks on top of TypeORM add options of their own.
void { ...withRdsIam({ type: 'postgres', host: 'db' }), autoLoadEntities: true };

// A password is possible only where IAM may be off.
const iam = { enabled: process.env['NODE_ENV'] === 'production' };
withRdsIam({ type: 'postgres', password: 'secret', iam: { enabled: false } });
withRdsIam({ type: 'postgres', password: async () => 'secret', iam });
const secret = { host: 'db', password: 'secret' };
withRdsIam({ type: 'mysql', replication: { master: secret, slaves: [secret] }, iam });
const both: RdsIamDataSourceOptions = { type: 'mysql', password: 'secret', iam };
withRdsIam(both);
// @ts-expect-error a password beside IAM
withRdsIam({ type: 'postgres', host: 'db', password: 'secret' });
// @ts-expect-error a password beside IAM options
withRdsIam({ type: 'mysql', host: 'db', password: 'secret', iam: { region: 'eu-west-1' } });
// @ts-expect-error a password beside a shared RdsIam
withRdsIam({ type: 'mariadb', host: 'db', password: 'secret', iam: createRdsIam() });
// @ts-expect-error a password of the master
withRdsIam({ type: 'postgres', replication: { master: { host: 'db', password: 'secret' }, slaves: [] } });
// @ts-expect-error a password of the master
withRdsIam({ type: 'mysql', replication: { master: secret, slaves: [node] } });
// @ts-expect-error a password of a slave
withRdsIam({ type: 'postgres', replication: { master: node, slaves: [secret] }, iam: { region: 'eu-west-1' } });
// @ts-expect-error a password of a slave
withRdsIam({ type: 'mysql', replication: { master: node, slaves: [node, { host: 'db', password: 'secret' }] } });

// @ts-expect-error the Data API, which needs no token
withRdsIam({ type: 'aurora-postgres', host: 'db' });
// @ts-expect-error the Data API, which needs no token
withRdsIam({ type: 'aurora-mysql', host: 'db' });
// @ts-expect-error a database that RDS has no IAM authentication for
withRdsIam({ type: 'better-sqlite3', database: 'shop.sqlite' });
// @ts-expect-error no dialect
withRdsIam({ host: 'db' });
// @ts-expect-error an option of another dialect
withRdsIam({ type: 'mysql', host: 'db', parseInt8: true });
// @ts-expect-error an option of another dialect
withRdsIam({ type: 'postgres', host: 'db', timezone: 'Z' });
// @ts-expect-error a driver beside the one that logs in with IAM
withRdsIam({ type: 'postgres', host: 'db', driver: {} });
// @ts-expect-error a driver beside the one that logs in with IAM
withRdsIam({ type: 'postgres', host: 'db', nativeDriver: {} });

// @ts-expect-error a misspelt option of TypeORM
withRdsIam({ type: 'postgres', hots: 'db' });
// @ts-expect-error a misspelt option of a node
withRdsIam({ type: 'postgres', replication: { master: { hots: 'db' }, slaves: [] } });
// @ts-expect-error a misspelt option of replication
withRdsIam({ type: 'mysql', replication: { master: node, slaves: [], selektor: 'RR' } });
// @ts-expect-error a misspelt IAM option
withRdsIam({ type: 'postgres', host: 'db', iam: { regoin: 'eu-west-1' } });
// @ts-expect-error an option of another type
withRdsIam({ type: 'postgres', host: 'db', poolSize: '20' });
// @ts-expect-error an IAM option of another type
withRdsIam({ type: 'mysql', host: 'db', iam: { refreshBeforeExpiryMs: '2m' } });

// Codes are a closed set.
export function explain(error: unknown): string {
  if (!isRdsIamError(error)) return given.type;
  const code: RdsIamErrorCode = error.code;
  // @ts-expect-error no such code
  return code === 'ERR_RDS_IAM_NO_SUCH' ? '' : `${error.hostname}:${error.port}`;
}
