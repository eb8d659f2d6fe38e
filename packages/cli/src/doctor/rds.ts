// What an endpoint's name and the RDS API tell of a database, and the commands that are about it.
import type { Database, DatabaseName } from '../database.js';
import { readEndpoint } from '../rds-endpoint.js';
import { regionFlag, shellWord } from '../shell-word.js';
import type { AwsCaller } from './aws-calls.js';
import { describeDatabase, judgeDatabase } from './database.js';
import { type Fix, notChecked, type Step } from './step.js';

export interface Rds {
  readonly step: Step;
  /** By the endpoint's name; undefined for another name. */
  readonly name: ReturnType<typeof readEndpoint>;
  readonly database: Database | undefined;
}

/** The instance or cluster that an endpoint is of, as far as its name or the RDS API tells. */
export function changeable({ name, database }: Rds): DatabaseName | undefined {
  const found = database ?? name;
  return found?.kind === 'instance' || found?.kind === 'cluster'
    ? { kind: found.kind, identifier: found.identifier }
    : undefined;
}

export function modifyCommand(rds: Rds, region: string | undefined): string {
  const { kind, identifier } = changeable(rds) ?? { kind: 'instance', identifier: 'ID' };
  return `aws rds modify-db-${kind} --db-${kind}-identifier ${shellWord(identifier)}${regionFlag(region)}`;
}

export function enableCommand(rds: Rds, region: string | undefined): Fix {
  const { kind, identifier } = changeable(rds) ?? { kind: 'instance', identifier: 'ID' };
  return { shell: `rds-iam enable --${kind} ${shellWord(identifier)}${regionFlag(region)}` };
}

export async function lookAtDatabase(
  caller: AwsCaller | undefined,
  cannotAsk: string,
  hostname: string,
  profile: string | undefined,
): Promise<Rds> {
  const name = readEndpoint(hostname);
  if (!name) {
    const why = `"${hostname}" is not an RDS endpoint, so that the RDS API cannot be asked for it`;
    return { step: notChecked('database', why), name, database: undefined };
  }
  if (!caller) return { step: notChecked('database', cannotAsk), name, database: undefined };
  const { region, timeoutMs } = caller;
  const seen = await describeDatabase(hostname, { region, profile, timeoutMs });
  return { step: judgeDatabase(seen), name, database: 'database' in seen ? seen.database : undefined };
}

/** What shows port, security groups and state of the database behind a name. */
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
