import type { RdsIam, RdsIamOptions } from '@rds-iam/core';
import { configError, rdsIamOf } from '@rds-iam/core/adapter';
import knex, { type Knex } from 'knex';
import type { KnexConfig } from './config.js';
import { iamDialect } from './dialect.js';
import { type Driver, driverOf, noClient } from './drivers.js';

/**
 * Knex's own configuration, or just a connection URL, for logins with IAM: pass it to `knex()`, or export it from a knexfile. A
 * failed login is retried if that can help, within `iam.retry.timeoutMs` and well before Knex stops waiting for a connection.
 *
 * @param given - as in Knex, without the password, plus `iam`
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` when `client`, `connectionPool` or `iam` is wrong; a wrong `connection`, and any
 * other code, rejects the first query
 */
export function withRdsIam(given: string | KnexConfig): Knex.Config {
  const { iam: iamOption, ...config } = (typeof given === 'string' ? fromUrl(given) : given) as Knex.Config & {
    readonly iam?: RdsIam | RdsIamOptions;
  };
  const iam = rdsIamOf(iamOption);
  if (!iam.enabled) return config;
  if (config.connectionPool) {
    throw configError(
      'connectionPool',
      'is your own pool, whose connections Knex does not open: give "connection" instead, or pass Knex a Pool of @rds-iam/pg or @rds-iam/mysql2 without withRdsIam',
    );
  }
  const Dialect = dialectOf(config.client ?? config.dialect);
  const driver = driverOf(Dialect);
  const { connection } = config;
  return {
    ...config,
    client: iamDialect(Dialect, driver, iam),
    ...(typeof connection === 'string' && { connection: withUrl(connection, driver.url) }),
  };
}

/** Knex's own class for a client's name; an instance without `connection` opens nothing. */
function dialectOf(client: Knex.Config['client']): typeof Knex.Client {
  if (typeof client === 'function') return client;
  if (client === undefined) throw noClient();
  return knex({ client }).client.constructor;
}

/** A URL as the whole configuration, as Knex reads it: the scheme is the name of the client. */
function fromUrl(url: string): Knex.Config {
  if (!URL.canParse(url))
    throw configError(undefined, 'the connection URL cannot be parsed: write it as postgres://app@HOST:5432/db');
  return { client: new URL(url).protocol.slice(0, -1), connection: url };
}

/**
 * The driver gets the whole URL, because Knex would lose the parts that contradict IAM. Knex's own parse of it is kept alongside:
 * Knex finds the database and the collation in it, and applications find the host.
 */
function withUrl(url: string, option: Driver['url']): Knex.StaticConnectionConfig {
  // The driver reports what is wrong with a URL that cannot be parsed.
  if (!URL.canParse(url)) return { [option]: url };
  // The base class of all dialects parses a URL, and has no driver to open a pool with.
  const { ssl: _, password: __, ...fields } = knex({ client: knex.Client, connection: url }).client.config.connection;
  return { ...fields, [option]: url };
}
