import * as mysql2 from 'mysql2/promise';
import {
  type AddNode,
  addingIamNodes,
  createConnection as createCallbackConnection,
  createPool as createCallbackPool,
} from './create.js';
import { Failures } from './failures.js';
import type { ConnectionOptions, PoolClusterOptions, PoolOptions } from './options.js';

/**
 * `createConnection` of mysql2/promise, logging in with IAM: the same options less the password, plus `iam`.
 *
 * @throws RdsIamError of every code
 */
export async function createConnection(options: string | ConnectionOptions): Promise<mysql2.Connection> {
  const connection = createCallbackConnection(options);
  return new Promise((resolve, reject) => {
    connection.once('connect', () => resolve(connection.promise(implementationIn(options))));
    connection.once('error', reject);
  });
}

/**
 * `createPool` of mysql2/promise, logging in with IAM: the same options less the password, plus `iam`.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` at once when an option is wrong or contradicts IAM; every code from
 * `getConnection`, `query` and `execute`
 */
export function createPool(options: string | PoolOptions): mysql2.Pool {
  return createCallbackPool(options).promise(implementationIn(options));
}

/** mysql2/promise's `PoolCluster`, of nodes that log in with IAM. */
export interface PoolCluster extends Omit<mysql2.PoolCluster, 'add'>, AddNode {}

/** `createPoolCluster` of mysql2/promise, logging in with IAM: each node has tokens for its own endpoint. */
export function createPoolCluster({ iam, ...options }: PoolClusterOptions = {}): PoolCluster {
  const cluster = mysql2.createPoolCluster(options);
  const failures = new Failures();
  const of = cluster.of.bind(cluster);
  cluster.of = (...namespace) => failures.replaceCopies(of(...namespace));
  return addingIamNodes(failures.replaceCopies(cluster as typeof cluster & mysql2.Pool), iam, failures);
}

function implementationIn(options: string | ConnectionOptions): PromiseConstructor | undefined {
  return typeof options === 'string' ? undefined : options.Promise;
}
