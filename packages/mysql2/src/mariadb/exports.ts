import * as driver from 'mariadb';

export {
  type AuthToken,
  createRdsIam,
  isRdsIamError,
  type RdsIam,
  RdsIamError,
  type RdsIamErrorCode,
  type RdsIamOptions,
} from '@rds-iam/core';
// Only the types: the values are listed below, all that the connector has.
export type * from 'mariadb';
export { defaultOptions, SqlError, version } from 'mariadb';
export { checkConnectionUrl } from '../config.js';
export {
  type ConnectionConfig,
  checkPoolConfig,
  createConnection,
  createPool,
  createPoolCluster,
  type ImportFileConfig,
  importFile,
  type PoolCluster,
  type PoolClusterConfig,
  type PoolConfig,
} from './create.js';
export { mariadbDriver } from './driver.js';

/** Re-exported from mariadb unchanged; missing in its older versions. */
export const TypeNumbers: typeof driver.TypeNumbers = driver.TypeNumbers;
/** Re-exported from mariadb unchanged. */
export type TypeNumbers = driver.TypeNumbers;
/** Re-exported from mariadb unchanged; missing in its older versions. */
export const Types: typeof driver.Types = driver.Types;
/** Re-exported from mariadb unchanged. */
export type Types = driver.Types;
