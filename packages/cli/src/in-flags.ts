import { isRdsIamError } from '@rds-iam/core';

/** The options of @rds-iam/core, and the flags that set them. */
const FLAGS: Readonly<Record<string, string>> = {
  hostname: '--hostname',
  port: '--port',
  username: '--username',
  region: '--region',
  profile: '--profile',
  ca: '--ca',
  dial: '--dial',
};

/** The message of an error; for one of core's, with the flag in place of the option. */
export function inFlags(error: unknown): string {
  if (!isRdsIamError(error)) return error instanceof Error ? error.message : String(error);
  switch (error.code) {
    case 'ERR_RDS_IAM_CONFIG': {
      const flag = FLAGS[error.option ?? ''];
      return flag === undefined ? error.message : `${flag} ${error.problem}`;
    }
    case 'ERR_RDS_IAM_REGION':
      return 'there is no AWS region, and the host name does not contain one: give --region or set AWS_REGION';
    case 'ERR_RDS_IAM_CREDENTIALS':
      if (error.kind === 'credentials-expired') {
        return "the AWS credentials have expired, and their source has no newer ones: renew them (for SSO: aws sso login), and check this machine's clock";
      }
      if (!(error.cause instanceof Error)) return error.message;
      return `no AWS credentials: ${error.cause.name}: ${error.cause.message}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or give --profile`;
    default:
      return error.message;
  }
}
