import { RdsIamError } from '@rds-iam/core';

/** What it means that a server wants a password by a method which no token fits. */
export function storedPasswordWanted(): RdsIamError {
  return new RdsIamError(
    'ERR_RDS_IAM_REFUSED',
    'the server asks for a stored password, so this user does not exist, is not a member of rds_iam, or IAM authentication is off: CREATE USER … WITH LOGIN; GRANT rds_iam TO …; and enable IAM authentication on the instance or cluster. No token was sent',
  );
}
