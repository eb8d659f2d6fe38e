import type { RdsIam } from '@rds-iam/core';
import * as mariadb from 'mariadb';
import { createConnection, createPool, createPoolCluster, importFile } from './create.js';

/**
 * The module `mariadb` whose connections and pools log in with IAM, for a framework that takes the driver's module as an
 * option: it then gives its own configuration to them as to the connector's.
 */
export function mariadbDriver(iam: RdsIam): typeof mariadb {
  const withIam = (options: string | object) =>
    typeof options === 'string' ? { uri: options, iam } : { ...options, iam };
  const driver = {
    ...mariadb,
    createConnection: (options: string | object) => createConnection(withIam(options)),
    createPool: (options: string | object) => createPool(withIam(options)),
    createPoolCluster: (options: object) => createPoolCluster({ ...options, iam }),
    importFile: (options: mariadb.ImportFileConfig) => importFile({ ...options, iam } as never),
  };
  return driver as unknown as typeof mariadb;
}
