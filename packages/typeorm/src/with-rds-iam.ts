import type { RdsIam } from '@rds-iam/core';
import { checkDriverTls, configError, rdsIamOf, refusePassword } from '@rds-iam/core/adapter';
import { checkConnectionUrl as checkMysql2Url, mysql2Driver } from '@rds-iam/mysql2';
import { checkConnectionUrl as checkPgUrl, pgDriver } from '@rds-iam/pg';
import type { RdsIamDataSourceOptions, RdsOptions } from './options.js';

/** The TypeORM options that are examined here, with any type, as in a JavaScript program. */
interface Given extends Node {
  readonly type?: unknown;
  readonly driver?: unknown;
  readonly nativeDriver?: unknown;
  readonly connectTimeoutMS?: unknown;
  readonly replication?: { readonly master: Node; readonly slaves: readonly Node[] };
}

/** What TypeORM takes a pool's credentials from: the options, or a node of `replication`. */
interface Node {
  readonly url?: string;
  readonly password?: unknown;
  readonly ssl?: unknown;
}

/**
 * TypeORM's options for a `DataSource` whose physical connections log in with IAM: the same options without `password`, plus
 * `iam`. Its one hook is TypeORM's `driver` option: the module whose pools TypeORM uses.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` when an option is wrong or contradicts IAM, here or from `initialize()`; any code
 * from `initialize()` and queries
 */
export function withRdsIam(options: RdsIamDataSourceOptions): RdsOptions {
  const { iam: iamOption, ...own } = options;
  const iam = rdsIamOf(iamOption);
  return (iam.enabled ? { ...own, driver: driverFor(own, iam) } : own) as RdsOptions;
}

/** The driver's module with IAM logins; the other engine's is not loaded. */
function driverFor(given: Given, iam: RdsIam): object {
  for (const name of ['driver', 'nativeDriver'] as const) {
    if (given[name]) {
      throw configError(name, `would replace the IAM login: remove it, or set "iam.enabled" to false`);
    }
  }
  switch (given.type) {
    case 'postgres':
      checkNodes(given, checkPgUrl);
      return pgDriver(given.connectTimeoutMS === undefined ? iam : withTimeoutNamed('connectTimeoutMS', iam));
    case 'mysql':
    case 'mariadb':
      checkNodes(given, checkMysql2Url);
      return mysql2Driver(iam);
    case 'aurora-postgres':
    case 'aurora-mysql':
      throw configError(
        'type',
        `is ${given.type}, TypeORM's name for the Data API, which uses AWS credentials and needs no token: pass the options to DataSource directly, or use "postgres" or "mysql" with the cluster endpoint`,
      );
    default:
      throw configError(
        'type',
        'must be "postgres", "mysql" or "mariadb": RDS offers IAM authentication for no other type',
      );
  }
}

/** With TypeORM's name for the driver's time-out in errors. */
function withTimeoutNamed(timeoutOption: string, iam: RdsIam): RdsIam {
  return { ...iam, connect: (endpoint, open, options) => iam.connect(endpoint, open, { ...options, timeoutOption }) };
}

/**
 * Refuses what TypeORM would not pass to the driver, or only after it has dialed another node: it parses MySQL URLs itself, and
 * silently drops their TLS parameters.
 */
function checkNodes(given: Given, checkConnectionUrl: (url: string) => void): void {
  const { replication, url } = given;
  if (url) checkConnectionUrl(url);
  if (!replication) return;
  const { master, slaves } = replication;
  if (!master || !Array.isArray(slaves)) throw configError('replication', 'must have a "master" and "slaves"');
  refuseWhatTypeormKeeps(given, '');
  for (const [path, node] of [
    ['replication.master', master] as const,
    ...slaves.map((slave: Node, index: number) => [`replication.slaves[${index}]`, slave] as const),
  ]) {
    refuseWhatTypeormKeeps(node, `${path}.`);
    if (node.url) checkConnectionUrl(node.url);
  }
}

/** With replication, TypeORM passes on only the nodes' `password`, and the `ssl` of the nodes or the options, by engine. */
function refuseWhatTypeormKeeps({ password, ssl }: Node, path: string): void {
  refusePassword(`${path}password`, password);
  // A string is the name of one of mysql2's profiles, which turn nothing off.
  if (typeof ssl !== 'string') checkDriverTls(ssl, `${path}ssl`);
}
