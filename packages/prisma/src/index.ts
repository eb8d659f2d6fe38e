export {
  type AuthToken,
  createRdsIam,
  isRdsIamError,
  type RdsIam,
  RdsIamError,
  type RdsIamErrorCode,
  type RdsIamOptions,
} from '@rds-iam/core';
export { createRdsIamAdapter } from './adapter.js';
export type { MysqlAdapter, MysqlAdapterOptions, MysqlOptions } from './mysql.js';
export type { PostgresqlAdapter, PostgresqlAdapterOptions, PostgresqlOptions } from './postgresql.js';
