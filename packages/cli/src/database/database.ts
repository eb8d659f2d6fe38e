// What RDS's API says of an instance, a cluster or a proxy, as one thing: a database.
import type { DBCluster, DBInstance, DBProxy } from '@aws-sdk/client-rds';
import { AwsError } from '../aws-call.js';

export type DatabaseKind = 'instance' | 'cluster' | 'proxy';

/** A database by its name in RDS's API. */
export interface DatabaseName {
  readonly kind: DatabaseKind;
  readonly identifier: string;
}

/** Which database is meant: by its name in RDS's API, or by its endpoint or a CNAME of that. */
export type DatabaseTarget = DatabaseName | { readonly hostname: string };

/** A database of RDS, as its API describes it. */
export interface Database extends DatabaseName {
  /** What a policy names it by: `db-…`, `cluster-…` or `prx-…`. */
  readonly resourceId: string;
  readonly arn: string;
  readonly region: string;
  readonly accountId: string;
  /** As in `aurora-postgresql`; of a proxy its family, as in `POSTGRESQL`. */
  readonly engine: string;
  /** Undefined of a proxy. */
  readonly engineVersion: string | undefined;
  /** As in `available`, `configuring-iam-database-auth`. */
  readonly status: string;
  /** Whether tokens are let in now. Of a proxy: whether one of its users may come with a token. */
  readonly iamEnabled: boolean;
  /** What `iamEnabled` is going to be, where a change was asked for and is not applied. */
  readonly pendingIamEnabled: boolean | undefined;
  /** Other changes that wait for the maintenance window, by AWS's names. */
  readonly otherPending: readonly string[];
  readonly maintenanceWindow: string | undefined;
  readonly masterUsername: string | undefined;
  /** Logs that go to CloudWatch Logs: `iam-db-auth-error` among them has the reasons of refusals. */
  readonly logExports: readonly string[];
  /** The instance that was asked for, where this is the cluster that it belongs to. */
  readonly memberIdentifier: string | undefined;
}

export function instanceOf(instance: DBInstance): Database {
  const action = 'rds:DescribeDBInstances';
  const { IAMDatabaseAuthenticationEnabled: pending, ...otherPending } = instance.PendingModifiedValues ?? {};
  return {
    ...{ kind: 'instance', identifier: required(action, instance.DBInstanceIdentifier) },
    resourceId: required(action, instance.DbiResourceId),
    ...ownerOf(action, instance.DBInstanceArn),
    ...common(instance, instance.DBInstanceStatus, pending, otherPending),
    memberIdentifier: undefined,
  };
}

export function clusterOf(cluster: DBCluster): Database {
  const action = 'rds:DescribeDBClusters';
  const { IAMDatabaseAuthenticationEnabled: pending, ...otherPending } = cluster.PendingModifiedValues ?? {};
  return {
    ...{ kind: 'cluster', identifier: required(action, cluster.DBClusterIdentifier) },
    resourceId: required(action, cluster.DbClusterResourceId),
    ...ownerOf(action, cluster.DBClusterArn),
    ...common(cluster, cluster.Status, pending, otherPending),
    memberIdentifier: undefined,
  };
}

function common(
  described: DBInstance | DBCluster,
  status: string | undefined,
  pending: boolean | undefined,
  otherPending: Readonly<Record<string, unknown>>,
) {
  const iamEnabled = described.IAMDatabaseAuthenticationEnabled ?? false;
  return {
    engine: described.Engine ?? '',
    engineVersion: described.EngineVersion,
    status: status ?? '',
    iamEnabled,
    pendingIamEnabled: pending === iamEnabled ? undefined : pending,
    otherPending: Object.entries(otherPending)
      .filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0))
      .map(([name]) => name),
    maintenanceWindow: described.PreferredMaintenanceWindow,
    masterUsername: described.MasterUsername,
    logExports: described.EnabledCloudwatchLogsExports ?? [],
  };
}

export function proxyOf(proxy: DBProxy): Database {
  const action = 'rds:DescribeDBProxies';
  const arn = required(action, proxy.DBProxyArn);
  return {
    ...{ kind: 'proxy', identifier: required(action, proxy.DBProxyName) },
    resourceId: arn.slice(arn.lastIndexOf(':') + 1),
    ...ownerOf(action, arn),
    engine: proxy.EngineFamily ?? '',
    engineVersion: undefined,
    status: proxy.Status ?? '',
    iamEnabled:
      proxy.DefaultAuthScheme === 'IAM_AUTH' || (proxy.Auth ?? []).some(({ IAMAuth }) => IAMAuth !== 'DISABLED'),
    pendingIamEnabled: undefined,
    otherPending: [],
    maintenanceWindow: undefined,
    masterUsername: undefined,
    logExports: [],
    memberIdentifier: undefined,
  };
}

/** `arn:partition:rds:region:account:…` */
function ownerOf(action: string, given: string | undefined) {
  const arn = required(action, given);
  const [, , , region, accountId] = arn.split(':');
  return { arn, region: required(action, region), accountId: required(action, accountId) };
}

export function required(action: string, value: string | undefined): string {
  if (value) return value;
  throw new AwsError('ERR_RDS_IAM_AWS_MALFORMED', `the answer to ${action} lacks what every answer of RDS's has`, {
    action,
  });
}
