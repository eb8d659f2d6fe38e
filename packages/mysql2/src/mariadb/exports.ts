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
// Beside the values here, which are all that the connector has.
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

/** Of the connector, as it is; in its older versions there is none. */
export const TypeNumbers: typeof driver.TypeNumbers = driver.TypeNumbers;
/** Of the connector, as it is. */
export type TypeNumbers = driver.TypeNumbers;
/** Of the connector, as it is; in its older versions there is none. */
export const Types: typeof driver.Types = driver.Types;
/** Of the connector, as it is. */
export type Types = driver.Types;
