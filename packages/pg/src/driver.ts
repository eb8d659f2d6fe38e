import type { RdsIam } from '@rds-iam/core';
import pg from 'pg';
import { Client } from './client.js';
import type { ClientConfig, PoolConfig } from './config.js';
import { Pool } from './pool.js';

/**
 * The module `pg` with a `Pool` and a `Client` that log in with IAM, for a framework that takes the driver's module as an
 * option: it then gives its own configuration to them as to pg's.
 */
export function pgDriver(iam: RdsIam): typeof pg {
  class IamClient extends Client {
    constructor(config?: string | ClientConfig) {
      super(withIam(config, iam));
    }
  }
  class IamPool extends Pool {
    constructor(config?: PoolConfig) {
      super(withIam(config, iam));
    }
  }
  return { ...pg, Client: IamClient, Pool: IamPool };
}

function withIam<Config extends ClientConfig>(config: string | Config | undefined, iam: RdsIam): Config {
  const fields: ClientConfig | undefined = typeof config === 'string' ? { connectionString: config } : config;
  // Frameworks hide a password from enumeration, and so from a copy: it is to be refused, not to be forgotten.
  return { ...fields, password: fields?.password, iam } as Config;
}
