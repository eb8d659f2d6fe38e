import { type Stack, startStack } from '@rds-iam/conformance';
import type { RdsIamOptions } from '@rds-iam/core';
import type { EmulatorOptions } from '@rds-iam/emulator';
import { onTestFinished } from 'vitest';
import type { Driver, PoolOptions } from './drivers.js';
import { type Network, startNetwork } from './network.js';

/** The emulator in front of a real database, behind a network that can fail, for the rest of a test. */
export interface Site extends Stack {
  readonly network: Network;
  /** The configuration of a pool for it. */
  readonly at: Pick<PoolOptions, 'hostname' | 'port' | 'username' | 'database' | 'iam'>;
  /** A pool that is ended, with its connections dropped, when the test is over. */
  createPool(options?: Partial<PoolOptions>): ReturnType<Driver['createPool']>;
  /** The IAM options, merged with others. */
  iamWith(options: RdsIamOptions): RdsIamOptions;
}

export async function startSite(driver: Driver, options: Partial<EmulatorOptions> = {}): Promise<Site> {
  const network = await startNetwork();
  const stack = await startStack(driver.engine, { tokenPort: network.port, ...options });
  network.leadTo(stack.emulator.port);
  // Disposed of in reverse order.
  onTestFinished(() => stack[Symbol.asyncDispose]());
  onTestFinished(() => network[Symbol.asyncDispose]());
  const at = {
    hostname: 'localhost',
    port: network.port,
    username: stack.username,
    database: stack.database,
    // The default backoff, as for users.
    iam: { ...stack.iam, retry: {} },
  };
  return {
    ...stack,
    network,
    at,
    createPool(own = {}) {
      const pool = driver.createPool({ ...at, ...own });
      onTestFinished(async () => {
        const ended = pool.end().catch(() => {});
        network.cut();
        await ended;
      });
      return pool;
    },
    iamWith: (own) => ({ ...at.iam, ...own }),
  };
}
