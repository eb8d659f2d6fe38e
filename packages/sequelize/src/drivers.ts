import type { RdsIam } from '@rds-iam/core';
import { configError, type Wait } from '@rds-iam/core/adapter';
import { checkConnectionUrl as checkMysql2Url, mysql2Driver } from '@rds-iam/mysql2';
import { checkConnectionUrl as checkMariadbUrl, mariadbDriver } from '@rds-iam/mysql2/mariadb';
import { checkConnectionUrl as checkPgUrl, pgDriver } from '@rds-iam/pg';

/** The dialects of Sequelize for which RDS and Aurora support IAM authentication. */
export type RdsDialect = 'postgres' | 'mysql' | 'mariadb';

/** The replacement for a dialect's driver. */
export interface Driver {
  /** The driver's module with connections that log in with IAM. */
  readonly module: object;
  /** Refuses what contradicts IAM in a connection URL. */
  checkConnectionUrl(url: string): void;
}

/** The driver for each dialect: the one hook of this package. No module of another dialect is loaded. */
export const DRIVERS: Readonly<Record<RdsDialect, (iam: RdsIam) => Driver>> = {
  postgres: (iam) => ({ module: pgDriver(iam), checkConnectionUrl: checkPgUrl }),
  mysql: (iam) => ({ module: mysql2Driver(iam), checkConnectionUrl: checkMysql2Url }),
  mariadb: (iam) => ({ module: mariadbDriver(iam), checkConnectionUrl: checkMariadbUrl }),
};

/** How long Sequelize's pool waits by default. */
const ACQUIRE_MS = 60_000;

/** How long Sequelize waits for a pooled connection, in both major versions. */
export function acquireWait(pool: unknown): Wait {
  const { acquire = ACQUIRE_MS } = (pool ?? {}) as { readonly acquire?: number };
  return { ms: acquire, option: 'pool.acquire' };
}

/** Refuses, by name, a Sequelize option that selects the user's own driver. */
export function refuseOwnDriver(options: object, names: readonly string[]): void {
  const own = names.find((name) => (options as Readonly<Record<string, unknown>>)[name]);
  if (own === undefined) return;
  throw configError(own, `replaces the driver that logs in with IAM: remove it, or set "iam.enabled" to false`);
}
