import type { RdsIam } from '@rds-iam/core';
import { checkDriverTls, configError, rdsIamOf, refusePassword } from '@rds-iam/core/adapter';
import { checkConnectionUrl as checkMysql2Url, mysql2Driver } from '@rds-iam/mysql2';
import { checkConnectionUrl as checkPgUrl, pgDriver } from '@rds-iam/pg';
import type { RdsIamDataSourceOptions, RdsOptions } from './options.js';

/** What of TypeORM's options is looked at here, as a program in JavaScript may give it. */
interface Given extends Node {
  readonly type?: unknown;
  readonly driver?: unknown;
  readonly nativeDriver?: unknown;
  readonly replication?: { readonly master: Node; readonly slaves: readonly Node[] };
}

/** Where TypeORM takes the credentials of a pool from: the options, or a node of `replication`. */
interface Node {
  readonly url?: string;
  readonly password?: unknown;
  readonly ssl?: unknown;
}

/**
 * TypeORM's options for a `DataSource` whose physical connections log in with IAM: the same options less `password`, plus
 * `iam`. Its one hook is TypeORM's `driver` option, the module that it makes its pools with.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` when an option is wrong or contradicts IAM, here or from `initialize()`; every
 * code from `initialize()` and from queries
 */
export function withRdsIam(options: RdsIamDataSourceOptions): RdsOptions {
  const { iam: iamOption, ...own } = options;
  const iam = rdsIamOf(iamOption);
  return (iam.enabled ? { ...own, driver: driverFor(own, iam) } : own) as RdsOptions;
}

/** The module of the driver, with IAM logins; nothing of the other engine is loaded. */
function driverFor(given: Given, iam: RdsIam): object {
  for (const name of ['driver', 'nativeDriver'] as const) {
    if (given[name]) {
      throw configError(name, `would replace the IAM login: remove it, or set "iam.enabled" to false`);
    }
  }
  switch (given.type) {
    case 'postgres':
      checkNodes(given, checkPgUrl);
      return pgDriver(iam);
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

/**
 * Refuses what TypeORM would not show the driver, or only after it has dialed another node: it parses URLs for MySQL
 * itself, and silently drops what they say about TLS.
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

/** With replication, TypeORM hands on the `password` of nodes only, and the `ssl` of nodes or of the options, by engine. */
function refuseWhatTypeormKeeps({ password, ssl }: Node, path: string): void {
  refusePassword(`${path}password`, password);
  // A text is the name of a profile of mysql2's, which turns nothing off.
  if (typeof ssl !== 'string') checkDriverTls(ssl, `${path}ssl`);
}
