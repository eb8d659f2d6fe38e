export {
  type AuthToken,
  createRdsIam,
  isRdsIamError,
  type RdsIam,
  RdsIamError,
  type RdsIamErrorCode,
  type RdsIamOptions,
} from '@rds-iam/core';
export type { Pool } from 'mariadb';
export { checkConnectionUrl } from './config.js';
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
} from './mariadb/create.js';
export { mariadbDriver } from './mariadb/driver.js';
