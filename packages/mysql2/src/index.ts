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
  type AddNode,
  createConnection,
  createPool,
  createPoolCluster,
  type PoolCluster,
  withRdsIam,
} from './mysql2/create.js';
export { mysql2Driver } from './mysql2/driver.js';
export type { ConnectionOptions, PoolClusterOptions, PoolOptions } from './mysql2/options.js';
