import * as mysql2 from 'mysql2/promise';
import type { Given } from '../config.js';
import { type AddNode, addingIamNodes, createPool as createCallbackPool, driverOptions } from './create.js';
import { Failures } from './failures.js';
import type { ConnectionOptions, PoolClusterOptions, PoolOptions } from './options.js';

/**
 * `createConnection` of mysql2/promise with an IAM login: the same options without the password, plus `iam`.
 *
 * @throws RdsIamError of every code
 */
export async function createConnection(options: string | ConnectionOptions): Promise<mysql2.Connection> {
  const failures = new Failures();
  try {
    return await mysql2.createConnection(
      driverOptions<mysql2.ConnectionOptions>(options as Given<mysql2.ConnectionOptions>, failures),
    );
  } catch (error) {
    throw failures.originalOf(error);
  }
}

/**
 * `createPool` of mysql2/promise with IAM logins: the same options without the password, plus `iam`.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` at once when an option is wrong or contradicts IAM; any code from
 * `getConnection`, `query` and `execute`
 */
export function createPool(options: string | PoolOptions): mysql2.Pool {
  const implementation = typeof options === 'string' ? undefined : options.Promise;
  return createCallbackPool(options).promise(implementation);
}

/** mysql2/promise's `PoolCluster`, whose nodes log in with IAM. */
export interface PoolCluster extends Omit<mysql2.PoolCluster, 'add'>, AddNode {}

/** `createPoolCluster` of mysql2/promise with IAM logins: each node has tokens for its own endpoint. */
export function createPoolCluster({ iam, ...options }: PoolClusterOptions = {}): PoolCluster {
  const cluster = mysql2.createPoolCluster(options);
  const failures = new Failures();
  const of = cluster.of.bind(cluster);
  cluster.of = (...namespace) => failures.replaceCopies(of(...namespace));
  return addingIamNodes(failures.replaceCopies(cluster as typeof cluster & mysql2.Pool), iam, failures);
}
