import type { RdsIam } from '@rds-iam/core';
import { withIam } from '@rds-iam/core/adapter';
import pg from 'pg';
import { Client } from './client.js';
import type { ClientConfig, PoolConfig } from './config.js';
import { Pool } from './pool.js';

/**
 * The `pg` module with a `Pool` and a `Client` that log in with IAM, for a framework that accepts the driver's module as an
 * option and passes it the configuration that it would pass to pg.
 */
export function pgDriver(iam: RdsIam): typeof pg {
  class IamClient extends Client {
    constructor(config?: string | ClientConfig) {
      super(withIam(config, iam, 'connectionString'));
    }
  }
  class IamPool extends Pool {
    constructor(config?: PoolConfig) {
      super(withIam(config, iam, 'connectionString'));
    }
  }
  return { ...pg, Client: IamClient, Pool: IamPool };
}
