export {
  type AuthToken,
  createRdsIam,
  isRdsIamError,
  type RdsIam,
  RdsIamError,
  type RdsIamErrorCode,
  type RdsIamOptions,
} from '@rds-iam/core';
export type { RdsDialect } from './drivers.js';
export { type SequelizeOptions, type SequelizeOptionsBesideUrl, withRdsIam } from './v6.js';
