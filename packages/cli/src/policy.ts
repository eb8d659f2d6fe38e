import { isRegion, partitionOf } from '@rds-iam/core';
import { UsageError } from './exit-code.js';
import { print } from './terminal.js';

export interface PolicyRequest {
  readonly usernames: readonly string[];
  readonly resourceIds: readonly string[];
  readonly region: string;
  readonly accountId: string;
  /** Whether `*` and `?` in users and resource ids are meant as such. */
  readonly wildcards?: boolean | undefined;
}

const RESOURCE_ID = /^(?:db|cluster|prx)-[A-Za-z0-9]+$/;
const RESOURCE_IDS = /^[A-Za-z0-9*?-]+$/;

export function policy(request: PolicyRequest): number {
  print(JSON.stringify(leastPolicy(request), undefined, 2));
  return 0;
}

/** The policy that permits these users on these databases, and nothing else. IAM authentication knows no condition keys. */
export function leastPolicy({ usernames, resourceIds, region, accountId, wildcards = false }: PolicyRequest): object {
  if (usernames.length === 0) throw new UsageError('--username is missing: give each database user that may log in');
  if (resourceIds.length === 0) {
    throw new UsageError(
      '--resource-id is missing: give the id of each instance, cluster or proxy (db-…, cluster-…, prx-…)',
    );
  }
  if (!isRegion(region)) throw new UsageError('--region must be the name of an AWS region, as in eu-west-1');
  if (!/^\d{12}$/.test(accountId)) throw new UsageError('--account-id must be the twelve digits of an AWS account');
  for (const username of usernames) checkUsername(username, wildcards);
  for (const id of resourceIds) checkResourceId(id, wildcards);
  const arns = resourceIds.flatMap((id) =>
    usernames.map((username) => `arn:${partitionOf(region)}:rds-db:${region}:${accountId}:dbuser:${id}/${username}`),
  );
  return {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 'rds-db:connect', Resource: [...new Set(arns)] }],
  };
}

function checkUsername(username: string, wildcards: boolean): void {
  if (username === '' || /\p{Cc}/u.test(username)) {
    throw new UsageError('--username is empty or has a control character');
  }
  if (!wildcards && /[*?]|\$\{/.test(username)) {
    throw new UsageError(
      '--username has a character that stands for others in a policy: give --wildcards if it is meant to',
    );
  }
}

function checkResourceId(id: string, wildcards: boolean): void {
  if (!wildcards && /[*?]/.test(id)) {
    throw new UsageError('--resource-id has a * or ?, which stands for others: give --wildcards if it is meant to');
  }
  if (!(/[*?]/.test(id) ? RESOURCE_IDS : RESOURCE_ID).test(id)) {
    throw new UsageError(
      `--resource-id must be an id as db-ABCDEFGHIJKL, cluster-ABCDEFGHIJKL or prx-0123456789abcdef, not a name: aws rds describe-db-instances shows it as DbiResourceId, describe-db-clusters as DbClusterResourceId, and a proxy's is the end of its ARN`,
    );
  }
}
