import type { RdsIam } from '@rds-iam/core';
import { boundBy, type Wait } from '@rds-iam/core/adapter';
import type { Knex } from 'knex';
import type { Driver } from './drivers.js';

/** How long Knex's pool waits for a new connection by default; Knex itself waits longer. */
const POOL_WAITS_MS = 30_000;

/**
 * Knex's dialect with an IAM login: the one hook of this package is `_driver`, which returns the driver's module. The rest
 * makes a login end when Knex no longer needs it.
 */
export function iamDialect(Dialect: typeof Knex.Client, driver: Driver, iam: RdsIam): typeof Knex.Client {
  class IamDialect extends Dialect {
    /** Aborted when the pool is destroyed. A second `initialize()` keeps the pool and therefore this signal. */
    declare poolDestroyed: AbortController | undefined;

    _driver(): unknown {
      const untilDestroyed = () => (this.poolDestroyed ? { stopRetrying: this.poolDestroyed.signal } : {});
      return driver.load(boundBy(waitOf(this.config), iam, untilDestroyed));
    }

    override initializePool(config?: object): void {
      this.poolDestroyed ??= new AbortController();
      super.initializePool(config);
    }

    override destroy(callback?: unknown): unknown {
      this.poolDestroyed?.abort();
      this.poolDestroyed = undefined;
      return super.destroy(callback);
    }
  }
  // Other packages recognize the dialect by this name.
  return Object.defineProperty(IamDialect, 'name', { value: Dialect.name });
}

/** Whichever time-out is shorter: Knex's own error would only say that the pool is probably full. */
function waitOf({ acquireConnectionTimeout, pool }: Knex.Config): Wait {
  const waits = [
    { option: 'acquireConnectionTimeout', ms: acquireConnectionTimeout },
    { option: 'pool.acquireTimeoutMillis', ms: pool?.acquireTimeoutMillis },
    { option: 'pool.createTimeoutMillis', ms: pool?.createTimeoutMillis ?? POOL_WAITS_MS },
  ].filter((wait): wait is Wait => wait.ms !== undefined);
  return waits.reduce((shortest, wait) => (wait.ms < shortest.ms ? wait : shortest));
}
