import type { RdsIam } from '@rds-iam/core';
import type { Knex } from 'knex';
import type { Driver } from './drivers.js';

/** How long Knex waits for a connection of its pool, and its pool for a new one, where the configuration does not say. */
const KNEX_WAITS_MS = 60_000;
const POOL_WAITS_MS = 30_000;

/**
 * Knex's dialect with an IAM login: the one hook of this package is `_driver`, by which a dialect gets the module of its
 * driver. The rest makes a login end when Knex has no more use for it.
 */
export function iamDialect(Dialect: typeof Knex.Client, driver: Driver, iam: RdsIam): typeof Knex.Client {
  class IamDialect extends Dialect {
    /** Aborted when the pool is destroyed; a second `initialize()` keeps the pool, and so this. */
    declare poolDestroyed: AbortController | undefined;

    _driver(): unknown {
      const atMostMs = patienceMs(this.config);
      return driver.load({
        ...iam,
        connect: (endpoint, open, options) => {
          const stopRetrying = this.poolDestroyed?.signal;
          return iam.connect(endpoint, open, { ...options, atMostMs, ...(stopRetrying && { stopRetrying }) });
        },
      });
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
  // Other packages tell the dialect by it.
  return Object.defineProperty(IamDialect, 'name', { value: Dialect.name });
}

/** A login gives up before Knex does, whose own error would only say that the pool is probably full. */
function patienceMs({ acquireConnectionTimeout, pool }: Knex.Config): number {
  const waits = [acquireConnectionTimeout, pool?.acquireTimeoutMillis].filter((wait) => wait !== undefined);
  const waitMs = waits.length === 0 ? KNEX_WAITS_MS : Math.min(...waits);
  return Math.floor(0.9 * Math.min(waitMs, pool?.createTimeoutMillis ?? POOL_WAITS_MS));
}
