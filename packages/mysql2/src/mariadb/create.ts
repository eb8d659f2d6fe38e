import type { RdsIam, RdsIamOptions } from '@rds-iam/core';
import { rdsIamOf, type WithIam } from '@rds-iam/core/adapter';
import * as mariadb from 'mariadb';
import { IamPool } from './pool.js';
import { check, reasonOf, withIamStream, withoutChangeUser } from './stream.js';

/** The mariadb connector's own `ConnectionConfig`, with `iam` in place of `password`. */
export type ConnectionConfig = WithIam<mariadb.ConnectionConfig>;

/** The mariadb connector's own `PoolConfig`, with `iam` in place of `password`. */
export type PoolConfig = WithIam<mariadb.PoolConfig>;

/** The mariadb connector's own `ImportFileConfig`, with `iam` in place of `password`. */
export type ImportFileConfig = WithIam<mariadb.ImportFileConfig>;

/** The mariadb connector's own `PoolClusterConfig`, plus the `iam` option for all nodes without their own. */
export type PoolClusterConfig = mariadb.PoolClusterConfig & { readonly iam?: RdsIamOptions | RdsIam };

/** The mariadb connector's own `PoolCluster`, whose nodes log in with IAM. */
export interface PoolCluster extends Omit<mariadb.PoolCluster, 'add'> {
  add(id: string, config: PoolConfig): void;
}

/**
 * The mariadb connector's `createConnection` with an IAM login: the same options without `password`, plus `iam`. A failed
 * login is retried if that can help, within `connectTimeout` or else `iam.retry.timeoutMs`.
 *
 * @throws RdsIamError of every code
 */
export async function createConnection(options: string | ConnectionConfig): Promise<mariadb.Connection> {
  const checked = check(options);
  if (!checked.iam) return mariadb.createConnection(checked.config);
  return reasoned(async () => withoutChangeUser(await mariadb.createConnection(withIamStream(checked))));
}

/**
 * The mariadb connector's `createPool` with IAM logins: the same options without `password`, plus `iam`. It is the connector's
 * own pool; a failed login is retried if that can help, within `initializationTimeout`, which is by default 100 ms less than
 * `acquireTimeout`. While there is no connection, callers who are waiting hear at once why a login failed.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` at once when an option is wrong or contradicts IAM; every code from
 * `getConnection`, `query`, `execute`, `batch` and `importFile`
 */
export function createPool(options: string | PoolConfig): mariadb.Pool {
  const checked = check(options);
  if (!checked.iam) return mariadb.createPool(checked.config);
  return new IamPool(checked) as unknown as mariadb.Pool;
}

/**
 * Refuses what {@link createPool} would refuse, without opening anything: for a framework that makes its pools later.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG`
 */
export function checkPoolConfig(options: string | PoolConfig): void {
  check(options);
}

/**
 * The mariadb connector's `createPoolCluster` with IAM logins: each node has tokens for its own endpoint. `iam` here is for
 * all nodes without their own.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` from `add`, when an option is wrong or contradicts IAM; every code from
 * `getConnection` and from what `of` returns, once a node's `acquireTimeout` has passed
 */
export function createPoolCluster({ iam, ...options }: PoolClusterConfig = {}): PoolCluster {
  const cluster = mariadb.createPoolCluster(options);
  const shared = rdsIamOf(iam);
  const ended = new AbortController();
  const { add, getConnection, end } = cluster;
  return Object.assign(cluster, {
    add(...node: [string, PoolConfig]) {
      const checked = check(node.pop() as PoolConfig, shared);
      const config = checked.iam ? withIamStream(checked, { ended: ended.signal }) : checked.config;
      add.call(cluster, ...(node as unknown as [string]), config as mariadb.PoolConfig);
    },
    // What `of` returns also calls this.
    getConnection: (...args: Parameters<typeof getConnection>) =>
      reasoned(async () => withoutChangeUser(await getConnection.apply(cluster, args))),
    end() {
      ended.abort();
      return end.call(cluster);
    },
  });
}

/**
 * The mariadb connector's `importFile` with an IAM login.
 *
 * @throws RdsIamError of every code
 */
export async function importFile({ file, ...options }: ImportFileConfig): Promise<void> {
  const checked = check(options);
  if (!checked.iam) return mariadb.importFile({ ...(checked.config as mariadb.ConnectionConfig), file });
  return reasoned(() => mariadb.importFile({ ...withIamStream(checked), file }));
}

async function reasoned<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw reasonOf(error);
  }
}
