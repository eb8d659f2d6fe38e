// RDS's responses about an instance, a cluster and a proxy.
import { ACCOUNT, type AwsAnswer, result } from './aws.js';

const ARN = `arn:aws:rds:eu-west-1:${ACCOUNT}`;
const SUFFIX = 'abc123.eu-west-1.rds.amazonaws.com';

/** The instance `mydb`. */
export function instance(changes: object = {}): AwsAnswer {
  return result({ DBInstances: { DBInstance: { ...INSTANCE, ...changes } } });
}

const INSTANCE = {
  DBInstanceIdentifier: 'mydb',
  DBInstanceStatus: 'available',
  DbiResourceId: 'db-ABCDEFGHIJKL',
  DBInstanceArn: `${ARN}:db:mydb`,
  Endpoint: { Address: `mydb.${SUFFIX}`, Port: 5432 },
  Engine: 'postgres',
  EngineVersion: '16.4',
  IAMDatabaseAuthenticationEnabled: false,
  PreferredMaintenanceWindow: 'sun:04:00-sun:04:30',
  MasterUsername: 'postgres',
  EnabledCloudwatchLogsExports: { member: ['iam-db-auth-error'] },
};

/** The Aurora cluster `shop`. */
export function cluster(changes: object = {}): AwsAnswer {
  return result({ DBClusters: { DBCluster: { ...CLUSTER, ...changes } } });
}

const CLUSTER = {
  DBClusterIdentifier: 'shop',
  Status: 'available',
  DbClusterResourceId: 'cluster-ABCDEFGH',
  DBClusterArn: `${ARN}:cluster:shop`,
  Endpoint: `shop.cluster-${SUFFIX}`,
  ReaderEndpoint: `shop.cluster-ro-${SUFFIX}`,
  CustomEndpoints: { member: [`reports.cluster-custom-${SUFFIX}`] },
  Engine: 'aurora-postgresql',
  EngineVersion: '16.4',
  IAMDatabaseAuthenticationEnabled: false,
  PreferredMaintenanceWindow: 'sun:04:00-sun:04:30',
  MasterUsername: 'postgres',
};

/** The proxy `pool`. */
export function proxy(changes: object = {}): AwsAnswer {
  return result({ DBProxies: { member: { ...PROXY, ...changes } } });
}

const PROXY = {
  DBProxyName: 'pool',
  DBProxyArn: `${ARN}:db-proxy:prx-0abc`,
  Endpoint: `pool.proxy-${SUFFIX}`,
  EngineFamily: 'POSTGRESQL',
  Status: 'available',
  Auth: { member: { IAMAuth: 'REQUIRED' } },
};
