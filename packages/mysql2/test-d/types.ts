// Checked by `tsc` alone: each @ts-expect-error is a test that what follows does not compile.
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';
import type * as mariadb from 'mariadb';
import type * as mysql2 from 'mysql2';
import type * as mysql2Promise from 'mysql2/promise';
import type { QueryResult, RowDataPacket } from '../src/index.js';
import { createConnection, createPool, createPoolCluster, createRdsIam, type PoolOptions } from '../src/index.js';
import connectorByDefault, * as connector from '../src/mariadb.js';
import byDefault, * as promises from '../src/promise.js';

// mysql2's own options pass through, with their own types.
createPool({
  host: 'db',
  port: 3306,
  user: 'app',
  database: 'app',
  connectionLimit: 20,
  namedPlaceholders: true,
  ssl: { ca: 'pem' },
});
createPool({ uri: 'mysql://app@db/app', ssl: 'Amazon RDS', iam: { region: 'eu-west-1' } });
createPool('mysql://app@db/app');
createConnection('mysql://app@db/app');
createConnection({ host: 'db', typeCast: false, iam: createRdsIam() });
createPool({ host: 'db', iam: { credentials: fromNodeProviderChain() } });
createPoolCluster({ canRetry: false, iam: createRdsIam() }).add('writer', { host: 'db', user: 'app' });
createPoolCluster().add('writer', 'mysql://app@db/app');

// A password is possible only where IAM may be off.
createPool({ host: 'db', password: 'secret', iam: { enabled: false } });
const both: PoolOptions = {
  host: 'db',
  password: 'secret',
  iam: { enabled: process.env['NODE_ENV'] === 'production' },
};
createPool(both);
promises.createPool(both);
connector.createPool({ host: 'db', password: 'secret', iam: { enabled: Math.random() > 2 } });
// @ts-expect-error a password beside IAM
createPool({ host: 'db', password: 'secret' });
// @ts-expect-error the password of another factor beside IAM
createPool({ host: 'db', password2: 'secret' });
// @ts-expect-error a password beside IAM options
promises.createPool({ host: 'db', password: 'secret', iam: { region: 'eu-west-1' } });
// @ts-expect-error a password beside a shared RdsIam
createConnection({ host: 'db', password: 'secret', iam: createRdsIam() });
// @ts-expect-error a password of a node
createPoolCluster().add('writer', { host: 'db', password: 'secret' });
// @ts-expect-error a password beside IAM
connector.createPool({ host: 'db', password: 'secret' });

// @ts-expect-error a misspelt option of mysql2
createPool({ hots: 'db' });
// @ts-expect-error a misspelt IAM option
createPool({ host: 'db', iam: { regoin: 'eu-west-1' } });
// @ts-expect-error a port that is no number
createPool({ host: 'db', port: '3306' });
// @ts-expect-error a misspelt option of the connector
connector.createPool({ host: 'db', connectionLimits: 1 });

// What comes back is the driver's.
const pool: mysql2.Pool = createPool({ host: 'db' });
const connection: mysql2.Connection = createConnection({ host: 'db' });
const promisePool: mysql2Promise.Pool = promises.createPool({ host: 'db' });
const promised: Promise<mysql2Promise.Connection> = promises.createConnection({ host: 'db' });
const rows = promisePool.query<mysql2.RowDataPacket[]>('select 1');
const namespace: mysql2Promise.PoolNamespace = promises.createPoolCluster().of('*');
const fromConnector: Promise<mariadb.PoolConnection> = connector.createPool({ host: 'db' }).getConnection();
void [pool, connection, promised, rows, namespace, fromConnector];

// Types are there by name and by default import, as of the drivers.
export async function byDefaultImport(pool: byDefault.Pool): Promise<connectorByDefault.UpsertResult[]> {
  const connection: mysql2Promise.PoolConnection & byDefault.PoolConnection = await pool.getConnection();
  const [result]: [QueryResult, unknown] = await connection.query<byDefault.RowDataPacket[] & RowDataPacket[]>(
    'select 1',
  );
  if (connection instanceof byDefault.Connection) connection.release();
  const column = { typeCast: (field: byDefault.TypeCastField) => field.type === byDefault.Types[0] };
  await byDefault.createConnection({ host: 'db', ...column });
  const other: connectorByDefault.Pool = connectorByDefault.createPool({ host: 'db' });
  return result === undefined ? [] : other.batch('insert into t values (?)', [[connector.TypeNumbers.JSON]]);
}
