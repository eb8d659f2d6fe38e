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
// Beside the values below, which are all that pg has.
export type * from 'pg';
export { Client } from './client.js';
export { type ClientConfig, checkConnectionUrl, type PoolConfig } from './config.js';
export { pgDriver } from './driver.js';
export { iamPoolConfig, Pool } from './pool.js';
export { withRdsIam } from './with-rds-iam.js';

/** Of pg, as it is. */
export const Connection: typeof pg.Connection = pg.Connection;
/** Of pg, as it is. */
export type Connection = pg.Connection;
/** Of pg, as it is. */
export const DatabaseError: typeof pg.DatabaseError = pg.DatabaseError;
/** Of pg, as it is. */
export type DatabaseError = pg.DatabaseError;
/** Of pg, as it is. */
export const defaults: typeof pg.defaults = pg.defaults;
/** Of pg, as it is. */
export const escapeIdentifier: typeof pg.escapeIdentifier = pg.escapeIdentifier;
/** Of pg, as it is. */
export const escapeLiteral: typeof pg.escapeLiteral = pg.escapeLiteral;
/** `null`, as of pg where pg-native is not installed: libpq has a login of its own, without IAM. */
export const native: null = null;
/** Of pg, as it is. */
export const Query: typeof pg.Query = pg.Query;
/** Of pg, as it is. */
// biome-ignore lint/suspicious/noExplicitAny: the defaults of pg's own types
export type Query<R extends pg.QueryResultRow = any, I extends any[] = any> = import('pg').Query<R, I>;
/** Of pg, as it is; in its older versions there is none. */
export const Result: typeof pg.Result = pg.Result;
/** Of pg, as it is. */
// biome-ignore lint/suspicious/noExplicitAny: the default of pg's own type
export type Result<R extends pg.QueryResultRow = any> = import('pg').Result<R>;
/** Of pg, as it is; in its older versions there is none. */
export const TypeOverrides: typeof pg.TypeOverrides = pg.TypeOverrides;
/** Of pg, as it is. */
export type TypeOverrides = pg.TypeOverrides;
/** Of pg, as it is. */
export const types: typeof pg.types = pg.types;
