import type { RdsIam, RdsIamOptions } from '@rds-iam/core';
import { configError, rdsIamOf } from '@rds-iam/core/adapter';
import knex, { type Knex } from 'knex';
import type { KnexConfig } from './config.js';
import { iamDialect } from './dialect.js';
import { type Driver, driverOf, noClient } from './drivers.js';

/**
 * Knex's own configuration, or a connection URL alone, for logins with IAM: to be given to `knex()`, or exported by a
 * knexfile. A login is tried again where that can help, within `iam.retry.timeoutMs` and well before Knex stops waiting
 * for a connection.
 *
 * @param given - as Knex takes it, less the password, plus `iam`
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` when `client`, `connectionPool` or `iam` is wrong; the first query rejects with
 * it when `connection` is, and with every other code
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

/** Knex's own class for the name of a client: an instance without a connection opens nothing. */
function dialectOf(client: Knex.Config['client']): typeof Knex.Client {
  if (typeof client === 'function') return client;
  if (client === undefined) throw noClient();
  return knex({ client }).client.constructor;
}

/** A URL that is all of the configuration, as Knex reads it: the scheme is the name of the client. */
function fromUrl(url: string): Knex.Config {
  if (!URL.canParse(url))
    throw configError(undefined, 'the connection URL cannot be parsed: write it as postgres://app@HOST:5432/db');
  return { client: new URL(url).protocol.slice(0, -1), connection: url };
}

/**
 * A URL is given to the driver whole, as Knex loses what in it contradicts IAM. Beside it stands what Knex makes of it: by
 * that it finds the database and the collation, and applications find the host.
 */
function withUrl(url: string, option: Driver['url']): Knex.StaticConnectionConfig {
  // The driver says what is wrong with one that cannot be read.
  if (!URL.canParse(url)) return { [option]: url };
  // The base of all dialects reads a URL, and has no driver to open a pool with.
  const { ssl: _, password: __, ...fields } = knex({ client: knex.Client, connection: url }).client.config.connection;
  return { ...fields, [option]: url };
}
