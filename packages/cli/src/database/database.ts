// A common form for what the RDS API says about an instance, a cluster or a proxy.
import type { DBCluster, DBInstance, DBProxy } from '@aws-sdk/client-rds';
import { AwsError } from '../aws-call.js';

export type DatabaseKind = 'instance' | 'cluster' | 'proxy';

/** A database by its name in the RDS API. */
export interface DatabaseName {
  readonly kind: DatabaseKind;
  readonly identifier: string;
}

/** Identifies a database by its name in the RDS API, by its endpoint, or by a CNAME of that. */
export type DatabaseTarget = DatabaseName | { readonly hostname: string };

/** An RDS database as the API describes it. */
export interface Database extends DatabaseName {
  /** Its id in a policy: `db-…`, `cluster-…` or `prx-…`. */
  readonly resourceId: string;
  readonly arn: string;
  readonly region: string;
  readonly accountId: string;
  /** Such as `aurora-postgresql`; for a proxy its engine family, such as `POSTGRESQL`. */
  readonly engine: string;
  /** Undefined for a proxy. */
  readonly engineVersion: string | undefined;
  /** Such as `available` or `configuring-iam-database-auth`. */
  readonly status: string;
  /** Whether IAM authentication is on. For a proxy: whether any of its users may log in with a token. */
  readonly iamEnabled: boolean;
  /** The future value of `iamEnabled`, if a requested change has not been applied yet. */
  readonly pendingIamEnabled: boolean | undefined;
  /** Other changes that are waiting for the maintenance window, by AWS's names. */
  readonly otherPending: readonly string[];
  readonly maintenanceWindow: string | undefined;
  readonly masterUsername: string | undefined;
  /** Logs that are exported to CloudWatch Logs; `iam-db-auth-error` has the reasons for refusals. */
  readonly logExports: readonly string[];
  /** The instance that was asked for, if this is the cluster that it belongs to. */
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
  throw new AwsError('ERR_RDS_IAM_AWS_MALFORMED', `the response to ${action} lacks what every response from RDS has`, {
    action,
  });
}
