import pg from 'pg';

export {
  type AuthToken,
  createRdsIam,
  isRdsIamError,
  type RdsIam,
  RdsIamError,
  type RdsIamErrorCode,
  type RdsIamOptions,
} from '@rds-iam/core';
// Only the types: the values are listed below, all that pg has.
export type * from 'pg';
export { Client } from './client.js';
export { type ClientConfig, checkConnectionUrl, type PoolConfig } from './config.js';
export { pgDriver } from './driver.js';
export { iamPoolConfig, Pool } from './pool.js';
export { withRdsIam } from './with-rds-iam.js';

/** Re-exported from pg unchanged. */
export const Connection: typeof pg.Connection = pg.Connection;
/** Re-exported from pg unchanged. */
export type Connection = pg.Connection;
/** Re-exported from pg unchanged. */
export const DatabaseError: typeof pg.DatabaseError = pg.DatabaseError;
/** Re-exported from pg unchanged. */
export type DatabaseError = pg.DatabaseError;
/** Re-exported from pg unchanged. */
export const defaults: typeof pg.defaults = pg.defaults;
/** Re-exported from pg unchanged. */
export const escapeIdentifier: typeof pg.escapeIdentifier = pg.escapeIdentifier;
/** Re-exported from pg unchanged. */
export const escapeLiteral: typeof pg.escapeLiteral = pg.escapeLiteral;
/** `null`, as in pg if pg-native is not installed: libpq has its own login, without IAM. */
export const native: null = null;
/** Re-exported from pg unchanged. */
export const Query: typeof pg.Query = pg.Query;
/** Re-exported from pg unchanged. */
// biome-ignore lint/suspicious/noExplicitAny: the defaults of pg's own types
export type Query<R extends pg.QueryResultRow = any, I extends any[] = any> = import('pg').Query<R, I>;
/** Re-exported from pg unchanged; missing in its older versions. */
export const Result: typeof pg.Result = pg.Result;
/** Re-exported from pg unchanged. */
// biome-ignore lint/suspicious/noExplicitAny: the default of pg's own type
export type Result<R extends pg.QueryResultRow = any> = import('pg').Result<R>;
/** Re-exported from pg unchanged; missing in its older versions. */
export const TypeOverrides: typeof pg.TypeOverrides = pg.TypeOverrides;
/** Re-exported from pg unchanged. */
export type TypeOverrides = pg.TypeOverrides;
/** Re-exported from pg unchanged. */
export const types: typeof pg.types = pg.types;
