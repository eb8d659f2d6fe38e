import type { RdsIam } from '@rds-iam/core';
import { withIam } from '@rds-iam/core/adapter';
import type * as mysql2 from 'mysql2';
import plain from 'mysql2';
import { createConnectionSharing, createPool, createPoolCluster } from './create.js';
import * as promises from './promise.js';
import type { AnswersByConfig } from './stream.js';

type Options = string | object;

/**
 * The `mysql2` module with connections, pools and clusters that log in with IAM, for a framework that accepts the driver's
 * module as an option and passes it the configuration that it would pass to mysql2.
 */
export function mysql2Driver(iam: RdsIam): typeof mysql2 {
  const answers: AnswersByConfig = new Map();
  const createConnection = (options: Options) => createConnectionSharing(withIam(options, iam, 'uri'), answers);
  const driver = {
    ...plain,
    connect: createConnection,
    createConnection,
    createPool: (options: Options) => createPool(withIam(options, iam, 'uri')),
    createPoolCluster: (options: object) => createPoolCluster(withIam(options, iam, 'uri')),
    createConnectionPromise: (options: Options) => promises.createConnection(withIam(options, iam, 'uri')),
    createPoolPromise: (options: Options) => promises.createPool(withIam(options, iam, 'uri')),
    createPoolClusterPromise: (options: object) => promises.createPoolCluster(withIam(options, iam, 'uri')),
  };
  return driver as unknown as typeof mysql2;
}
