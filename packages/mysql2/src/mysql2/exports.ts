import type * as mysql2 from 'mysql2';
import driver from 'mysql2';
import { createConnection, type PoolCluster as IamPoolCluster } from './create.js';

export {
  type AuthToken,
  createRdsIam,
  isRdsIamError,
  type RdsIam,
  RdsIamError,
  type RdsIamErrorCode,
  type RdsIamOptions,
} from '@rds-iam/core';
// Only the types: the values are listed below, all that mysql2 has.
export type * from 'mysql2';
export {
  authPlugins,
  Connection,
  clearParserCache,
  createServer,
  escape,
  escapeId,
  format,
  PoolConnection,
  raw,
  setMaxParserCache,
} from 'mysql2';
export { checkConnectionUrl } from '../config.js';
export { Charsets, CharsetToEncoding, TypedParameter, Types } from './constants.js';
export { type AddNode, createConnection, createPool, createPoolCluster, withRdsIam } from './create.js';
export { mysql2Driver } from './driver.js';
export type { ConnectionOptions, PoolClusterOptions, PoolOptions } from './options.js';
export {
  createConnection as createConnectionPromise,
  createPool as createPoolPromise,
  createPoolCluster as createPoolClusterPromise,
} from './promise.js';

/** Exports of mysql2 that its types leave out. */
interface Untyped {
  readonly ConnectionConfig: new (options: mysql2.ConnectionOptions | string) => mysql2.ConnectionConfig;
  readonly createQuery: typeof mysql2.Connection.createQuery;
  readonly Pool: abstract new (...args: never[]) => mysql2.Pool;
  readonly PoolCluster: abstract new (...args: never[]) => mysql2.PoolCluster;
}

const untyped = driver as unknown as Untyped;

/** {@link createConnection} under mysql2's other name for it. */
export const connect: typeof createConnection = createConnection;
/** Re-exported from mysql2 unchanged. */
export const ConnectionConfig: Untyped['ConnectionConfig'] = untyped.ConnectionConfig;
/** Re-exported from mysql2 unchanged. */
export type ConnectionConfig = mysql2.ConnectionConfig;
/** Re-exported from mysql2 unchanged. */
export const createQuery: Untyped['createQuery'] = untyped.createQuery;
/** Re-exported from mysql2 unchanged: the class of every pool, which {@link createPool} makes. */
export const Pool: Untyped['Pool'] = untyped.Pool;
/** Re-exported from mysql2 unchanged. */
export type Pool = mysql2.Pool;
/** Re-exported from mysql2 unchanged: the class of every cluster, which {@link createPoolCluster} makes. */
export const PoolCluster: Untyped['PoolCluster'] = untyped.PoolCluster;
/** mysql2's `PoolCluster`, whose nodes log in with IAM. */
export type PoolCluster = IamPoolCluster;
