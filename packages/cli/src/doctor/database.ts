// What an endpoint's name and the RDS API say about the database behind it, and the commands for it.
import { AwsError } from '../aws-call.js';
import type { Database, DatabaseName } from '../database/database.js';
import { readEndpoint } from '../database/endpoint.js';
import { DatabaseLookup } from '../database/lookup.js';
import { FailedError } from '../exit-code.js';
import { regionFlag, shellWord } from '../shell-word.js';
import { callerOf, type Unanswered, unanswered } from './aws-calls.js';
import type { Facts } from './facts.js';
import { type Fix, failed, notChecked, passed, type Step, warned } from './step.js';

/** The database, or why it is not known: AWS did not say, or has none of that name there. */
export type DatabaseSeen = { readonly database: Database } | { readonly error: FailedError } | Unanswered;

export async function describeDatabase(facts: Facts): Promise<Pick<Facts, 'described'>> {
  const { followed } = facts.name;
  if (!readEndpoint(followed)) {
    return {
      described: unanswered(`"${followed}" is not an RDS endpoint, so the RDS API does not know it`),
    };
  }
  const caller = callerOf(facts);
  if ('error' in caller) return { described: caller };
  const lookup = await DatabaseLookup.in({
    region: caller.region,
    profile: facts.profile,
    timeoutMs: caller.timeoutMs,
  });
  try {
    return { described: { database: await lookup.byEndpoint(followed) } };
  } catch (error) {
    if (error instanceof AwsError || error instanceof FailedError) return { described: { error } };
    throw error;
  }
}

export const databaseOf = ({ described }: Facts): Database | undefined =>
  'database' in described ? described.database : undefined;

/** Pure. */
export function judgeDatabase({ described }: Facts): Step {
  if ('error' in described) {
    const { error } = described;
    if (!(error instanceof FailedError)) return notChecked('database', error.message);
    const why =
      'the database is not in the account of these credentials, and a token only works within its own account';
    const fix = [
      { shell: 'aws sts get-caller-identity' },
      {
        do: 'use credentials of the account that owns the database, such as those of a role there: AWS_PROFILE or --profile',
      },
    ];
    return failed('database', error.message, [{ diagnosis: 'not-in-account', why, fix }]);
  }
  const {
    kind,
    identifier,
    resourceId,
    engine,
    engineVersion = '',
    iamEnabled,
    pendingIamEnabled,
    status,
    region,
  } = described.database;
  const what = `${kind} "${identifier}" (${resourceId}), ${engine} ${engineVersion}`.trimEnd();
  if (!iamEnabled) {
    const pending = pendingIamEnabled === true ? ', and turning it on waits for the maintenance window' : '';
    const why = `IAM authentication is off on the ${kind} "${identifier}"${pending}`;
    const fix =
      kind === 'proxy'
        ? [{ do: 'let users of the proxy log in with a token: aws rds modify-db-proxy --auth … with IAMAuth=REQUIRED' }]
        : [{ shell: `rds-iam enable --${kind} ${shellWord(identifier)} --region ${shellWord(region)}` }];
    return failed('database', `${what}: IAM authentication is off`, [{ diagnosis: 'iam-off', why, fix }]);
  }
  if (status !== 'available') {
    const why = `the ${kind} is "${status}"`;
    const fix = [{ do: 'wait until it is available, or start it' }];
    return warned('database', `${what} is "${status}"`, [{ diagnosis: 'database-not-available', why, fix }]);
  }
  return passed('database', `${what}: IAM authentication is on`);
}

/** The instance or cluster that an endpoint belongs to, as far as its name or the RDS API says. */
export function changeable(facts: Facts): DatabaseName | undefined {
  const found = databaseOf(facts) ?? readEndpoint(facts.name.followed);
  return found?.kind === 'instance' || found?.kind === 'cluster'
    ? { kind: found.kind, identifier: found.identifier }
    : undefined;
}

export function modifyCommand(facts: Facts): string {
  const { kind, identifier } = changeable(facts) ?? { kind: 'instance', identifier: 'ID' };
  return `aws rds modify-db-${kind} --db-${kind}-identifier ${shellWord(identifier)}${regionFlag(facts.region)}`;
}

export function enableCommand(facts: Facts): Fix {
  const { kind, identifier } = changeable(facts) ?? { kind: 'instance', identifier: 'ID' };
  return { shell: `rds-iam enable --${kind} ${shellWord(identifier)}${regionFlag(facts.region)}` };
}

/** The command that shows the port, security groups and state of the database behind a name. */
export function showCommand(hostname: string, region: string | undefined): string {
  const name = readEndpoint(hostname);
  const at = regionFlag(region);
  const id = shellWord(name?.identifier ?? '');
  switch (name?.kind) {
    case 'instance':
      return `aws rds describe-db-instances --db-instance-identifier ${id}${at} --query 'DBInstances[].[DBInstanceStatus,Endpoint.Port,PubliclyAccessible,VpcSecurityGroups]'`;
    case 'cluster':
      return `aws rds describe-db-clusters --db-cluster-identifier ${id}${at} --query 'DBClusters[].[Status,Port,VpcSecurityGroups]'`;
    case 'proxy':
      return `aws rds describe-db-proxies --db-proxy-name ${id}${at} --query 'DBProxies[].[Status,VpcSecurityGroupIds]'`;
    default:
      return `aws rds describe-db-instances${at} --query 'DBInstances[].[DBInstanceStatus,Endpoint.Address,Endpoint.Port]'`;
  }
}
