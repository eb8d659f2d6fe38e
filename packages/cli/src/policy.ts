import { isRegion, partitionOf } from '@rds-iam/core';
import { AwsError } from './aws-call.js';
import { DatabaseLookup } from './database/lookup.js';
import { UsageError } from './exit-code.js';
import { print, tell } from './terminal.js';

export interface PolicyRequest {
  readonly usernames: readonly string[];
  readonly resourceIds: readonly string[];
  readonly region: string;
  readonly accountId: string;
  /** Whether `*` and `?` in users and resource ids are meant as wildcards. */
  readonly wildcards?: boolean | undefined;
}

const RESOURCE_ID = /^(?:db|cluster|prx)-[A-Za-z0-9]+$/;
const RESOURCE_IDS = /^[A-Za-z0-9*?-]+$/;

/** What is known before AWS is asked. */
export interface PolicyQuestion {
  readonly usernames: readonly string[];
  /** If there are any, AWS is not asked. */
  readonly resourceIds: readonly string[];
  readonly hostname: string | undefined;
  readonly region: string | undefined;
  /** Overrides the region in the host name. */
  readonly regionOfEnvironment: string | undefined;
  readonly accountId: string | undefined;
  readonly profile: string | undefined;
  readonly wildcards?: boolean | undefined;
}

export async function policy(question: PolicyQuestion): Promise<number> {
  print(JSON.stringify(leastPolicy(await completed(question)), undefined, 2));
  return 0;
}

/** Takes the ids from the flags, or else from what RDS says about the endpoint. */
async function completed(question: PolicyQuestion): Promise<PolicyRequest> {
  const { usernames, resourceIds, hostname, region, regionOfEnvironment, accountId, profile, wildcards } = question;
  if (resourceIds.length > 0 || hostname === undefined) {
    return {
      ...{ usernames, resourceIds, wildcards },
      region: region ?? regionOfEnvironment ?? '',
      accountId: accountId ?? '',
    };
  }
  // Checked first, so that nobody waits for AWS to learn about a mistake.
  checkUsernames(usernames, wildcards);
  try {
    const lookup = await DatabaseLookup.of({ hostname }, { region, profile });
    const database = await lookup.find({ hostname });
    if (accountId !== undefined && accountId !== database.accountId) {
      throw new UsageError(
        `--account-id is ${accountId}, but ${hostname} belongs to ${database.accountId}: leave it out`,
      );
    }
    if (!database.iamEnabled) {
      tell(
        database.kind === 'proxy'
          ? `IAM authentication is off for all users of the proxy ${database.identifier}`
          : `IAM authentication is off for the ${database.kind} ${database.identifier}: rds-iam enable --${database.kind} ${database.identifier} --region ${database.region} turns it on`,
        'warning',
      );
    }
    return { usernames, wildcards, ...database, resourceIds: [database.resourceId] };
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    throw error.with(`${error.message}. Without AWS: give --resource-id, --account-id and --region`);
  }
}

/** The policy that allows these users on these databases, and nothing else. IAM authentication supports no condition keys. */
export function leastPolicy({ usernames, resourceIds, region, accountId, wildcards = false }: PolicyRequest): object {
  checkUsernames(usernames, wildcards);
  if (resourceIds.length === 0) {
    throw new UsageError(
      '--resource-id is missing: give the id of each instance, cluster or proxy (db-…, cluster-…, prx-…), or the URL or --hostname of one to have it looked up',
    );
  }
  if (!isRegion(region)) throw new UsageError('--region must be the name of an AWS region, as in eu-west-1');
  if (!/^\d{12}$/.test(accountId)) throw new UsageError('--account-id must be the twelve digits of an AWS account');
  for (const id of resourceIds) checkResourceId(id, wildcards);
  const arns = resourceIds.flatMap((id) =>
    usernames.map((username) => `arn:${partitionOf(region)}:rds-db:${region}:${accountId}:dbuser:${id}/${username}`),
  );
  return {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 'rds-db:connect', Resource: [...new Set(arns)] }],
  };
}

function checkUsernames(usernames: readonly string[], wildcards = false): void {
  if (usernames.length === 0) throw new UsageError('--username is missing: give each database user that may log in');
  for (const username of usernames) checkUsername(username, wildcards);
}

function checkUsername(username: string, wildcards: boolean): void {
  if (username === '' || /\p{Cc}/u.test(username)) {
    throw new UsageError('--username is empty or has a control character');
  }
  if (!wildcards && /[*?]|\$\{/.test(username)) {
    throw new UsageError(
      '--username has a character that is a wildcard in a policy: give --wildcards if that is intended',
    );
  }
}

function checkResourceId(id: string, wildcards: boolean): void {
  if (!wildcards && /[*?]/.test(id)) {
    throw new UsageError(
      '--resource-id has a * or ?, which is a wildcard in a policy: give --wildcards if that is intended',
    );
  }
  if (!(/[*?]/.test(id) ? RESOURCE_IDS : RESOURCE_ID).test(id)) {
    throw new UsageError(
      `--resource-id must be an id such as db-ABCDEFGHIJKL, cluster-ABCDEFGHIJKL or prx-0123456789abcdef, not a name: aws rds describe-db-instances shows it as DbiResourceId, describe-db-clusters as DbClusterResourceId, and a proxy's is the end of its ARN`,
    );
  }
}
