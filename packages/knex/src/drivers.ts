import type { RdsIam, RdsIamError } from '@rds-iam/core';
import { configError } from '@rds-iam/core/adapter';
import { mysql2Driver } from '@rds-iam/mysql2';
import { pgDriver } from '@rds-iam/pg';
import type { Knex } from 'knex';

/** What differs between the drivers that can log in with IAM. */
export interface Driver {
  /** Loads the driver's module with IAM logins, so that nobody needs the driver of the other engine. */
  load(iam: RdsIam): unknown;
  /** The driver's option for a connection URL. */
  readonly url: 'connectionString' | 'uri';
}

const DRIVERS: Readonly<Record<string, Driver>> = {
  pg: {
    load: (iam) => pgDriver(iam),
    url: 'connectionString',
  },
  mysql2: {
    load: (iam) => mysql2Driver(iam),
    url: 'uri',
  },
};

const INSTEAD: Readonly<Record<string, string>> = { mysql: '"mysql2"', mariadb: '"mysql2"', pgnative: '"pg"' };

/** The driver of a dialect class. Knex itself resolves its names and aliases of clients. */
export function driverOf(Dialect: typeof Knex.Client): Driver {
  const { driverName }: { readonly driverName?: string } = Dialect.prototype;
  if (driverName === undefined) throw noClient();
  const driver = DRIVERS[driverName];
  if (driver) return driver;
  throw configError(
    'client',
    `uses the driver "${driverName}", which cannot log in with IAM: use ${INSTEAD[driverName] ?? '"pg" or "mysql2"'}`,
  );
}

export function noClient(): RdsIamError {
  return configError('client', 'must be "pg" or "mysql2", or a dialect class on top of one');
}
