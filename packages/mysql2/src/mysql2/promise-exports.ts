import type * as mysql2 from 'mysql2/promise';
import * as driver from 'mysql2/promise';

export {
  type AuthToken,
  createRdsIam,
  isRdsIamError,
  type RdsIam,
  RdsIamError,
  type RdsIamErrorCode,
  type RdsIamOptions,
} from '@rds-iam/core';
// Only the types: the values are listed below, all that mysql2/promise has.
export type * from 'mysql2/promise';
export {
  Connection,
  Connection as PromiseConnection,
  clearParserCache,
  escape,
  escapeId,
  format,
  PoolConnection,
  PoolConnection as PromisePoolConnection,
  raw,
  setMaxParserCache,
} from 'mysql2/promise';
export { Charsets, CharsetToEncoding, TypedParameter, Types } from './constants.js';
export type { AddNode } from './create.js';
export type { ConnectionOptions, PoolClusterOptions, PoolOptions } from './options.js';
export { createConnection, createPool, createPoolCluster, type PoolCluster } from './promise.js';

/** Re-exported from mysql2 unchanged: the class of every pool, which {@link createPool} makes. */
export const PromisePool: abstract new (...args: never[]) => mysql2.Pool = (
  driver as unknown as { readonly PromisePool: typeof PromisePool }
).PromisePool;
