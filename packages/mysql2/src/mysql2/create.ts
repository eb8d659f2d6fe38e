import type { RdsIam, RdsIamOptions } from '@rds-iam/core';
import { rdsIamOf } from '@rds-iam/core/adapter';
import * as mysql2 from 'mysql2';
import { checkConfig, type Given } from '../config.js';
import { Failures } from './failures.js';
import type { ConnectionOptions, PoolClusterOptions, PoolOptions } from './options.js';
import { type AnswersByConfig, withIamStream } from './stream.js';

/**
 * mysql2's `createConnection`, logging in with IAM: the same options less the password, plus `iam`. A login is tried again
 * where that can help, within `connectTimeout` or else `iam.retry.timeoutMs`.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` at once when an option is wrong or contradicts IAM; every code as the
 * connection's error
 */
export function createConnection(options: string | ConnectionOptions): mysql2.Connection {
  return mysql2.createConnection(driverOptions<mysql2.ConnectionOptions>(options as Given<mysql2.ConnectionOptions>));
}

/** {@link createConnection} for one that makes many with the same configuration, as the pools of frameworks do. */
export function createConnectionSharing(options: object, answers: AnswersByConfig): mysql2.Connection {
  return mysql2.createConnection(
    driverOptions<mysql2.ConnectionOptions>(
      options as Given<mysql2.ConnectionOptions>,
      new Failures(),
      undefined,
      answers,
    ),
  );
}

/**
 * mysql2's `createPool`, logging in with IAM: the same options less the password, plus `iam`. Every physical connection
 * has a token of its own time; checkouts cost nothing more than with mysql2. A login that fails is tried again where that
 * can help, within `connectTimeout` or else `iam.retry.timeoutMs`, while it holds its place in the pool.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` at once when an option is wrong or contradicts IAM; every code from
 * `getConnection`, `query` and `execute`
 */
export function createPool(options: string | PoolOptions): mysql2.Pool {
  const failures = new Failures();
  const pool = mysql2.createPool(
    driverOptions<mysql2.PoolOptions>(options as Given<mysql2.PoolOptions>, failures) as mysql2.PoolOptions,
  );
  const promise = pool.promise.bind(pool);
  pool.promise = (implementation) => failures.replaceCopies(promise(implementation));
  return pool;
}

/** mysql2's `PoolCluster`, of nodes that log in with IAM. */
export interface PoolCluster extends Omit<mysql2.PoolCluster, 'add'>, AddNode {}

/** How a node is added to a cluster: its options are those of a pool. */
export interface AddNode {
  add(config: PoolOptions): void;
  add(group: string, config: PoolOptions): void;
  add(group: string, connectionUri: string): void;
}

/**
 * mysql2's `createPoolCluster`, logging in with IAM: each node has tokens for its own endpoint. `iam` here is for all nodes
 * that have none of their own.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` at once, and from `add`, when an option is wrong or contradicts IAM
 */
export function createPoolCluster({ iam, ...options }: PoolClusterOptions = {}): PoolCluster {
  const cluster = mysql2.createPoolCluster(options);
  return addingIamNodes(cluster, iam, new Failures());
}

/** Makes `add` take the options of this package in place of mysql2's. */
export function addingIamNodes<Cluster extends { add(group: string, connectionUri: string): void }>(
  cluster: Cluster,
  iam: RdsIam | RdsIamOptions | undefined,
  failures: Failures,
): Omit<Cluster, 'add'> & AddNode {
  const shared = rdsIamOf(iam);
  const add = cluster.add.bind(cluster) as (...node: unknown[]) => void;
  const addIamNode = (...node: unknown[]) => {
    const given = node.pop() as Given<mysql2.PoolOptions>;
    add(...node, driverOptions(given, failures, shared));
  };
  return Object.assign(cluster, { add: addIamNode });
}

/**
 * mysql2's own options with an IAM login behind its `stream` option: for what makes its own connection or pool of mysql2, and
 * takes options only. Whoever has the choice uses {@link createPool} and {@link createConnection}.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` at once when an option is wrong or contradicts IAM; every code from connecting
 */
export function withRdsIam(options: PoolOptions): mysql2.PoolOptions {
  return driverOptions<mysql2.PoolOptions>(options as Given<mysql2.PoolOptions>);
}

/** mysql2's own options, with an IAM login behind `stream` where IAM is on; `failures` is told of those of logins. */
export function driverOptions<Config extends mysql2.ConnectionOptions>(
  given: Given<Config>,
  failures = new Failures(),
  shared?: RdsIam,
  answers?: AnswersByConfig,
): Config {
  const checked = checkConfig<Config>(given, shared);
  // mysql2 takes a URI in place of options; its types tell the two apart.
  return checked.iam ? withIamStream(checked, failures, answers) : (checked.config as Config);
}
