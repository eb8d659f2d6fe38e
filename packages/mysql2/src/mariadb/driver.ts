import type { RdsIam } from '@rds-iam/core';
import { withIam } from '@rds-iam/core/adapter';
import * as mariadb from 'mariadb';
import { createConnection, createPool, createPoolCluster, importFile } from './create.js';

/**
 * The module `mariadb` whose connections and pools log in with IAM, for a framework that takes the driver's module as an
 * option: it then gives its own configuration to them as to the connector's.
 */
export function mariadbDriver(iam: RdsIam): typeof mariadb {
  // Its default export has functions of its own, without IAM.
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
