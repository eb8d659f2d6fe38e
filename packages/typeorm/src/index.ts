export {
  type AuthToken,
  createRdsIam,
  isRdsIamError,
  type RdsIam,
  RdsIamError,
  type RdsIamErrorCode,
  type RdsIamOptions,
} from '@rds-iam/core';
export type { RdsIamDataSourceOptions, RdsOptions } from './options.js';
export { withRdsIam } from './with-rds-iam.js';
