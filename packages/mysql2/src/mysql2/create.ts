import type { RdsIam, RdsIamOptions } from '@rds-iam/core';
import { rdsIamOf } from '@rds-iam/core/adapter';
import * as mysql2 from 'mysql2';
import { checkConfig, type Given } from '../config.js';
import { Failures } from './failures.js';
import type { ConnectionOptions, PoolClusterOptions, PoolOptions } from './options.js';
import { type AnswersByConfig, withIamStream } from './stream.js';

/**
 * mysql2's `createConnection` with an IAM login: the same options without the password, plus `iam`. A failed login is retried
 * if that can help, within `connectTimeout` or else `iam.retry.timeoutMs`.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` at once when an option is wrong or contradicts IAM; any code as the connection's
 * error
 */
export function createConnection(options: string | ConnectionOptions): mysql2.Connection {
  return mysql2.createConnection(driverOptions<mysql2.ConnectionOptions>(options as Given<mysql2.ConnectionOptions>));
}

/** {@link createConnection} for callers that make many with the same configuration, as the pools of frameworks do. */
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
 * mysql2's `createPool` with IAM logins: the same options without the password, plus `iam`. Every physical connection logs in
 * with a token that is valid at that time; checkouts cost no more than with mysql2. A failed login is retried if that can
 * help, within `connectTimeout` or else `iam.retry.timeoutMs`, while it keeps its slot in the pool.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` at once when an option is wrong or contradicts IAM; any code from
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

/** mysql2's `PoolCluster`, whose nodes log in with IAM. */
export interface PoolCluster extends Omit<mysql2.PoolCluster, 'add'>, AddNode {}

/** Adds a node to a cluster; its options are those of a pool. */
export interface AddNode {
  add(config: PoolOptions): void;
  add(group: string, config: PoolOptions): void;
  add(group: string, connectionUri: string): void;
}

/**
 * mysql2's `createPoolCluster` with IAM logins: each node has tokens for its own endpoint. `iam` here is for all nodes without
 * their own.
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
 * mysql2's own options with an IAM login behind its `stream` option: for libraries that make their own mysql2 connection or
 * pool and accept only options. If there is a choice, use {@link createPool} and {@link createConnection}.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` at once when an option is wrong or contradicts IAM; any code when connecting
 */
export function withRdsIam(options: PoolOptions): mysql2.PoolOptions {
  return driverOptions<mysql2.PoolOptions>(options as Given<mysql2.PoolOptions>);
}

/** mysql2's own options, with an IAM login behind `stream` if IAM is on; failed logins are added to `failures`. */
export function driverOptions<Config extends mysql2.ConnectionOptions>(
  given: Given<Config>,
  failures = new Failures(),
  shared?: RdsIam,
  answers?: AnswersByConfig,
): Config {
  const checked = checkConfig<Config>(given, shared);
  // mysql2 accepts a URI in place of options, but its types have separate overloads for the two.
  return checked.iam ? withIamStream(checked, failures, answers) : (checked.config as Config);
}
