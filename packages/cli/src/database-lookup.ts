// From an endpoint's name, or the name of an instance or cluster, to what RDS's API knows of it.
import dns from 'node:dns/promises';
import type { DBCluster, DBInstance, DBProxy, RDSClient } from '@aws-sdk/client-rds';
import { followCnames, isRegion, parseRdsHostname } from '@rds-iam/core';
import { type AwsCallOptions, AwsError, callAws } from './aws-call.js';
import { FailedError, UsageError } from './exit-code.js';

type DatabaseKind = 'instance' | 'cluster' | 'proxy';

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

export interface LookupOptions extends AwsCallOptions {
  /** Where the name does not tell: else `AWS_REGION`, else the profile's. */
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
}

/** Which part of which kind of database a name is the endpoint of. */
interface NamedByEndpoint {
  readonly kind: DatabaseKind | 'customEndpoint' | 'proxyEndpoint';
  readonly identifier: string;
}

/**
 * Reads what an endpoint's name says: `name.id.region.rds…` (instance), `name.cluster-id…`, `name.cluster-ro-id…`,
 * `name.cluster-custom-id…`, `name.proxy-id…`, `name.endpoint.proxy-id…`. Undefined for any other name.
 */
export function readEndpoint(hostname: string): NamedByEndpoint | undefined {
  if (parseRdsHostname(hostname) === undefined) return undefined;
  const [identifier = '', second = '', third = ''] = hostname.toLowerCase().split('.');
  if (second === 'endpoint' && third.startsWith('proxy-')) return { kind: 'proxyEndpoint', identifier };
  if (second.startsWith('proxy-')) return { kind: 'proxy', identifier };
  if (second.startsWith('cluster-custom-')) return { kind: 'customEndpoint', identifier };
  if (second.startsWith('cluster-')) return { kind: 'cluster', identifier };
  return { kind: 'instance', identifier };
}

/** Follows CNAMEs to an endpoint of RDS. */
async function endpointOf(hostname: string): Promise<string> {
  const endpoint = await followCnames(hostname, (name) => dns.resolveCname(name));
  if (readEndpoint(endpoint) !== undefined) return endpoint;
  throw new UsageError(
    `${hostname} is no endpoint of RDS and leads to none: give one, as mydb.abc123.eu-west-1.rds.amazonaws.com`,
  );
}

/** Asks RDS. Its clients are loaded with the first one that is made. */
export class DatabaseLookup {
  readonly #client: RDSClient;
  readonly #options: AwsCallOptions;

  /** @throws UsageError where nothing names a region */
  static async in(options: LookupOptions): Promise<DatabaseLookup> {
    const { RDSClient } = await import('@aws-sdk/client-rds');
    const { region, profile, ...callOptions } = options;
    if (region !== undefined && !isRegion(region)) {
      throw new UsageError('--region must be the name of an AWS region, as in eu-west-1');
    }
    const client = new RDSClient({
      ...(region !== undefined && { region }),
      ...(profile !== undefined && { profile }),
    });
    try {
      // The SDK's own words for a missing region do not name the flag.
      await client.config.region();
    } catch (cause) {
      throw new UsageError('there is no AWS region: give --region, or set AWS_REGION', { cause });
    }
    return new DatabaseLookup(client, callOptions);
  }

  /** For a database by its name, or by its endpoint, where CNAMEs may lead to it. */
  static async of(target: DatabaseTarget, options: LookupOptions): Promise<DatabaseLookup> {
    if (!('hostname' in target)) return DatabaseLookup.in(options);
    const endpoint = await endpointOf(target.hostname);
    const region = parseRdsHostname(endpoint)?.region;
    if (options.region !== undefined && options.region !== region) {
      throw new UsageError(`--region is ${options.region}, but ${endpoint} is in ${region}: leave --region out`);
    }
    return DatabaseLookup.in({ ...options, region });
  }

  private constructor(client: RDSClient, options: AwsCallOptions) {
    this.#client = client;
    this.#options = options;
  }

  async find(target: DatabaseTarget): Promise<Database> {
    return 'hostname' in target ? this.byEndpoint(target.hostname) : this.byName(target);
  }

  /** @param name - an endpoint, or a CNAME of one */
  async byEndpoint(name: string): Promise<Database> {
    const hostname = (await endpointOf(name)).toLowerCase().replace(/\.$/, '');
    const { kind, identifier } = readEndpoint(hostname) ?? { kind: 'instance', identifier: hostname };
    switch (kind) {
      case 'instance': {
        const instance = await this.#instance(identifier);
        expectEndpoint(hostname, `the instance ${identifier}`, [instance.Endpoint?.Address]);
        return this.#instanceOrCluster(instance);
      }
      case 'cluster': {
        const cluster = await this.#cluster(identifier);
        expectEndpoint(hostname, `the cluster ${identifier}`, [cluster.Endpoint, cluster.ReaderEndpoint]);
        return clusterOf(cluster);
      }
      case 'customEndpoint': {
        const cluster = await this.#cluster(await this.#clusterOfCustomEndpoint(identifier));
        expectEndpoint(hostname, `the cluster ${cluster.DBClusterIdentifier}`, cluster.CustomEndpoints ?? []);
        return clusterOf(cluster);
      }
      case 'proxy': {
        const proxy = await this.#proxy(identifier);
        expectEndpoint(hostname, `the proxy ${identifier}`, [proxy.Endpoint]);
        return proxyOf(proxy);
      }
      case 'proxyEndpoint':
        return proxyOf(await this.#proxy(await this.#proxyOfEndpoint(identifier, hostname)));
    }
  }

  /** An instance or cluster by its name; an instance that is a member of a cluster is given as that cluster. */
  async byName({ kind, identifier }: DatabaseName): Promise<Database> {
    if (kind === 'proxy') return proxyOf(await this.#proxy(identifier));
    if (kind === 'cluster') return clusterOf(await this.#cluster(identifier));
    return this.#instanceOrCluster(await this.#instance(identifier));
  }

  /** Asks for IAM authentication to be turned on or off. RDS takes it on, and applies it in its own time. */
  async modify({ kind, identifier }: DatabaseName, change: IamChange): Promise<void> {
    const { ModifyDBClusterCommand, ModifyDBInstanceCommand } = await import('@aws-sdk/client-rds');
    const wanted = { EnableIAMDatabaseAuthentication: change.enable, ApplyImmediately: change.applyImmediately };
    if (kind === 'cluster') {
      await callAws(
        'rds:ModifyDBCluster',
        async (options) =>
          (await this.#client.send(new ModifyDBClusterCommand({ DBClusterIdentifier: identifier, ...wanted }), options))
            .DBCluster,
        this.#options,
      );
      return;
    }
    await callAws(
      'rds:ModifyDBInstance',
      async (options) =>
        (await this.#client.send(new ModifyDBInstanceCommand({ DBInstanceIdentifier: identifier, ...wanted }), options))
          .DBInstance,
      this.#options,
    );
  }

  async #instanceOrCluster(instance: DBInstance): Promise<Database> {
    if (instance.DBClusterIdentifier === undefined) return instanceOf(instance);
    // All that has to do with IAM authentication is the cluster's, also the id that a policy has to name.
    const cluster = await this.#cluster(instance.DBClusterIdentifier);
    return { ...clusterOf(cluster), memberIdentifier: instance.DBInstanceIdentifier };
  }

  #instance(identifier: string): Promise<DBInstance> {
    return this.#only('rds:DescribeDBInstances', `instance ${identifier}`, async (options) => {
      const { DescribeDBInstancesCommand } = await import('@aws-sdk/client-rds');
      const command = new DescribeDBInstancesCommand({ DBInstanceIdentifier: identifier });
      return (await this.#client.send(command, options)).DBInstances;
    });
  }

  #cluster(identifier: string): Promise<DBCluster> {
    return this.#only('rds:DescribeDBClusters', `cluster ${identifier}`, async (options) => {
      const { DescribeDBClustersCommand } = await import('@aws-sdk/client-rds');
      const command = new DescribeDBClustersCommand({ DBClusterIdentifier: identifier });
      return (await this.#client.send(command, options)).DBClusters;
    });
  }

  async #clusterOfCustomEndpoint(identifier: string): Promise<string> {
    const action = 'rds:DescribeDBClusterEndpoints';
    const found = await this.#only(action, `custom endpoint ${identifier}`, async (options) => {
      const { DescribeDBClusterEndpointsCommand } = await import('@aws-sdk/client-rds');
      const command = new DescribeDBClusterEndpointsCommand({ DBClusterEndpointIdentifier: identifier });
      return (await this.#client.send(command, options)).DBClusterEndpoints;
    });
    return required(action, found.DBClusterIdentifier);
  }

  #proxy(name: string): Promise<DBProxy> {
    return this.#only('rds:DescribeDBProxies', `proxy ${name}`, async (options) => {
      const { DescribeDBProxiesCommand } = await import('@aws-sdk/client-rds');
      return (await this.#client.send(new DescribeDBProxiesCommand({ DBProxyName: name }), options)).DBProxies;
    });
  }

  async #proxyOfEndpoint(name: string, hostname: string): Promise<string> {
    const action = 'rds:DescribeDBProxyEndpoints';
    const found = await this.#only(action, `proxy endpoint ${name}`, async (options) => {
      const { DescribeDBProxyEndpointsCommand } = await import('@aws-sdk/client-rds');
      const command = new DescribeDBProxyEndpointsCommand({ DBProxyEndpointName: name });
      return (await this.#client.send(command, options)).DBProxyEndpoints;
    });
    expectEndpoint(hostname, `the proxy endpoint ${name}`, [found.Endpoint]);
    return required(action, found.DBProxyName);
  }

  async #only<Found>(
    action: string,
    what: string,
    ask: (options: { readonly abortSignal: AbortSignal }) => Promise<Found[] | undefined>,
  ): Promise<Found> {
    const absent = (cause?: unknown) =>
      new FailedError(
        `there is no ${what} in this account and region: it may belong to another account (give --profile) or region (give --region)`,
        { cause },
      );
    let found: Found[];
    try {
      found = await callAws(action, ask, this.#options);
    } catch (error) {
      throw error instanceof AwsError && /NotFound/.test(error.awsCode ?? '') ? absent(error) : error;
    }
    const [first] = found;
    if (first === undefined) throw absent();
    return first;
  }
}

/** What is asked of RDS. */
export interface IamChange {
  readonly enable: boolean;
  /** With all other changes that wait; else in the next maintenance window. */
  readonly applyImmediately: boolean;
}

function instanceOf(instance: DBInstance): Database {
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

function clusterOf(cluster: DBCluster): Database {
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

function proxyOf(proxy: DBProxy): Database {
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

function required(action: string, value: string | undefined): string {
  if (value) return value;
  throw new AwsError('ERR_RDS_IAM_AWS_MALFORMED', `the answer to ${action} lacks what every answer of RDS's has`, {
    action,
  });
}

/** Names are unique in an account and region only: one of the same name may be somebody else's. */
function expectEndpoint(hostname: string, what: string, endpoints: readonly (string | undefined)[]): void {
  const known = endpoints.filter((each) => each !== undefined);
  if (known.length === 0 || known.some((each) => each.toLowerCase() === hostname)) return;
  throw new FailedError(
    `${what} of this account has another endpoint (${known.join(', ')}) than ${hostname}, which is of another account: give its --profile`,
  );
}
