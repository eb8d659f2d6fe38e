import { configError, type RdsIam, type RdsIamError } from '@rds-iam/core';
import type { Knex } from 'knex';

/** What differs between the drivers that Knex can log in with. */
export interface Driver {
  /** The driver's module with IAM logins; it is loaded here, so that nobody needs the driver of the other engine. */
  load(iam: RdsIam): unknown;
  /** The settings that stand for a connection URL. */
  connectionOf(url: string): Knex.StaticConnectionConfig;
}

const DRIVERS: Readonly<Record<string, Driver>> = {
  pg: {
    load(iam) {
      const { pgDriver } = require('@rds-iam/pg') as typeof import('@rds-iam/pg');
      return pgDriver(iam);
    },
    connectionOf: (url) => ({ connectionString: url }),
  },
  mysql2: {
    load(iam) {
      const { mysql2Driver } = require('@rds-iam/mysql2') as typeof import('@rds-iam/mysql2');
      return mysql2Driver(iam);
    },
    connectionOf: (url) => ({ uri: url, ...readByKnex(url) }),
  },
};

const INSTEAD: Readonly<Record<string, string>> = { mysql: '"mysql2"', mariadb: '"mysql2"', pgnative: '"pg"' };

/** The driver below a dialect class. Knex's own names and aliases of clients are Knex's to read. */
export function driverOf(Dialect: typeof Knex.Client): Driver {
  const { driverName }: { readonly driverName?: string } = Dialect.prototype;
  if (driverName === undefined) throw noClient();
  const driver = DRIVERS[driverName];
  if (driver) return driver;
  throw configError(
    `"client" stands for the driver "${driverName}", which cannot log in with IAM: use ${INSTEAD[driverName] ?? '"pg" or "mysql2"'}`,
  );
}

export function noClient(): RdsIamError {
  return configError('"client" must be "pg" or "mysql2", or a dialect class on top of one');
}

/** What Knex itself reads of the settings of MySQL: `database` to look at a schema, and `charset` to create a table. */
function readByKnex(url: string): { database?: string; charset?: string } {
  try {
    const { pathname, searchParams } = new URL(url);
    const database = decodeURIComponent(pathname.slice(1));
    const charset = searchParams.get('charset');
    return { ...(database && { database }), ...(charset && { charset }) };
  } catch {
    // The driver says what is wrong with it.
    return {};
  }
}
