// From the name of an endpoint, an instance or a cluster to what the RDS API knows about it.
import type { DBCluster, DBInstance, DBProxy, RDS } from '@aws-sdk/client-rds';
import { isRegion, parseRdsHostname } from '@rds-iam/core';
import { type AwsCallOptions, AwsError, callAws } from '../aws-call.js';
import { FailedError, UsageError } from '../exit-code.js';
import {
  clusterOf,
  type Database,
  type DatabaseName,
  type DatabaseTarget,
  instanceOf,
  proxyOf,
  required,
} from './database.js';
import { endpointOf, expectEndpoint, readEndpoint } from './endpoint.js';

export interface LookupOptions extends AwsCallOptions {
  /** The region if the name does not contain one; if absent, `AWS_REGION` or else the profile's. */
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
}

interface CallOptions {
  readonly abortSignal: AbortSignal;
}

/** Asks RDS. The SDK's client is loaded when the first of these is made. */
export class DatabaseLookup {
  readonly #rds: RDS;
  readonly #options: AwsCallOptions;

  /** @throws UsageError if nothing names a region */
  static async in(options: LookupOptions): Promise<DatabaseLookup> {
    const { RDS } = await import('@aws-sdk/client-rds');
    const { region, profile, ...callOptions } = options;
    if (region !== undefined && !isRegion(region)) {
      throw new UsageError('--region must be the name of an AWS region, as in eu-west-1');
    }
    const rds = new RDS({
      ...(region !== undefined && { region }),
      ...(profile !== undefined && { profile }),
    });
    try {
      // The SDK's own error for a missing region does not name the flag.
      await rds.config.region();
    } catch (cause) {
      throw new UsageError('there is no AWS region: give --region, or set AWS_REGION', { cause });
    }
    return new DatabaseLookup(rds, callOptions);
  }

  /** For a database by its name, its endpoint, or a CNAME of that. */
  static async of(target: DatabaseTarget, options: LookupOptions): Promise<DatabaseLookup> {
    if (!('hostname' in target)) return DatabaseLookup.in(options);
    const endpoint = await endpointOf(target.hostname);
    const region = parseRdsHostname(endpoint)?.region;
    if (options.region !== undefined && options.region !== region) {
      throw new UsageError(`--region is ${options.region}, but ${endpoint} is in ${region}: leave --region out`);
    }
    return DatabaseLookup.in({ ...options, region });
  }

  private constructor(rds: RDS, options: AwsCallOptions) {
    this.#rds = rds;
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

  /** Finds an instance or cluster by its name; for a member of a cluster, returns the cluster. */
  async byName({ kind, identifier }: DatabaseName): Promise<Database> {
    if (kind === 'proxy') return proxyOf(await this.#proxy(identifier));
    if (kind === 'cluster') return clusterOf(await this.#cluster(identifier));
    return this.#instanceOrCluster(await this.#instance(identifier));
  }

  /** Requests that IAM authentication be turned on or off. RDS accepts the request and applies it later. */
  async modify({ kind, identifier }: DatabaseName, change: IamChange): Promise<void> {
    const wanted = { EnableIAMDatabaseAuthentication: change.enable, ApplyImmediately: change.applyImmediately };
    if (kind === 'cluster') {
      const modify = { DBClusterIdentifier: identifier, ...wanted };
      const ask = async (options: CallOptions) => (await this.#rds.modifyDBCluster(modify, options)).DBCluster;
      await callAws('rds:ModifyDBCluster', ask, this.#options);
    } else {
      const modify = { DBInstanceIdentifier: identifier, ...wanted };
      const ask = async (options: CallOptions) => (await this.#rds.modifyDBInstance(modify, options)).DBInstance;
      await callAws('rds:ModifyDBInstance', ask, this.#options);
    }
  }

  async #instanceOrCluster(instance: DBInstance): Promise<Database> {
    if (instance.DBClusterIdentifier === undefined) return instanceOf(instance);
    // Everything about IAM authentication belongs to the cluster, including the id that a policy names.
    const cluster = await this.#cluster(instance.DBClusterIdentifier);
    return { ...clusterOf(cluster), memberIdentifier: instance.DBInstanceIdentifier };
  }

  #instance(identifier: string): Promise<DBInstance> {
    return this.#only('rds:DescribeDBInstances', `instance ${identifier}`, async (options) => {
      return (await this.#rds.describeDBInstances({ DBInstanceIdentifier: identifier }, options)).DBInstances;
    });
  }

  #cluster(identifier: string): Promise<DBCluster> {
    return this.#only('rds:DescribeDBClusters', `cluster ${identifier}`, async (options) => {
      return (await this.#rds.describeDBClusters({ DBClusterIdentifier: identifier }, options)).DBClusters;
    });
  }

  #proxy(name: string): Promise<DBProxy> {
    return this.#only('rds:DescribeDBProxies', `proxy ${name}`, async (options) => {
      return (await this.#rds.describeDBProxies({ DBProxyName: name }, options)).DBProxies;
    });
  }

  async #clusterOfCustomEndpoint(identifier: string): Promise<string> {
    const action = 'rds:DescribeDBClusterEndpoints';
    const found = await this.#only(action, `custom endpoint ${identifier}`, async (options) => {
      const asked = { DBClusterEndpointIdentifier: identifier };
      return (await this.#rds.describeDBClusterEndpoints(asked, options)).DBClusterEndpoints;
    });
    return required(action, found.DBClusterIdentifier);
  }

  async #proxyOfEndpoint(name: string, hostname: string): Promise<string> {
    const action = 'rds:DescribeDBProxyEndpoints';
    const found = await this.#only(action, `proxy endpoint ${name}`, async (options) => {
      return (await this.#rds.describeDBProxyEndpoints({ DBProxyEndpointName: name }, options)).DBProxyEndpoints;
    });
    expectEndpoint(hostname, `the proxy endpoint ${name}`, [found.Endpoint]);
    return required(action, found.DBProxyName);
  }

  async #only<Found>(
    action: string,
    what: string,
    ask: (options: CallOptions) => Promise<Found[] | undefined>,
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
    const [first, ...others] = found;
    if (first === undefined) throw absent();
    if (others.length > 0) {
      throw new FailedError(
        `RDS returned ${found.length} databases for the ${what}, so none was chosen: see ${action}`,
      );
    }
    return first;
  }
}

/** A change to request from RDS. */
export interface IamChange {
  readonly enable: boolean;
  /** At once, together with all other waiting changes; otherwise in the next maintenance window. */
  readonly applyImmediately: boolean;
}
