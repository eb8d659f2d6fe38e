import type { RdsIam } from '@rds-iam/core';
import { withIam } from '@rds-iam/core/adapter';
import * as mariadb from 'mariadb';
import { createConnection, createPool, createPoolCluster, importFile } from './create.js';

/**
 * The `mariadb` module with connections and pools that log in with IAM, for a framework that accepts the driver's module as
 * an option and passes it the configuration that it would pass to the connector.
 */
export function mariadbDriver(iam: RdsIam): typeof mariadb {
  // The connector's default export contains its own functions, without IAM.
  const { default: _, ...connector } = mariadb;
  const driver = {
    ...connector,
    createConnection: (options: string | object) => createConnection(withIam(options, iam, 'uri')),
    createPool: (options: string | object) => createPool(withIam(options, iam, 'uri')),
    createPoolCluster: (options: object) => createPoolCluster(withIam(options, iam, 'uri')),
    importFile: (options: mariadb.ImportFileConfig) => importFile(withIam(options, iam, 'uri')),
  };
  return driver as unknown as typeof mariadb;
}
