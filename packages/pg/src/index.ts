export {
  type AuthToken,
  createRdsIam,
  isRdsIamError,
  type RdsIam,
  RdsIamError,
  type RdsIamErrorCode,
  type RdsIamOptions,
} from '@rds-iam/core';
export { Client } from './client.js';
export { type ClientConfig, checkConnectionUrl, type PoolConfig } from './config.js';
export { pgDriver } from './driver.js';
export { iamPoolConfig, Pool } from './pool.js';
export { withRdsIam } from './with-rds-iam.js';
