export {
  type AuthToken,
  createRdsIam,
  isRdsIamError,
  type RdsIam,
  RdsIamError,
  type RdsIamErrorCode,
  type RdsIamOptions,
} from '@rds-iam/core';
export { checkConnectionUrl } from './config.js';
export {
  type ConnectionConfig,
  createConnection,
  createPool,
  createPoolCluster,
  type ImportFileConfig,
  importFile,
  type PoolClusterConfig,
  type PoolCluster,
  type PoolConfig,
} from './mariadb/create.js';
export { mariadbDriver } from './mariadb/driver.js';
export type { Pool } from 'mariadb';
