import type { RdsIam } from '@rds-iam/core';
import * as mysql2 from 'mysql2';
import { createConnectionSharing, createPool, createPoolCluster } from './create.js';
import type { Answers } from './hook.js';

type Options = string | object;

/**
 * The module `mysql2` whose connections, pools and clusters log in with IAM, for a framework that takes the driver's module
 * as an option: it then gives its own configuration to them as to mysql2's.
 */
export function mysql2Driver(iam: RdsIam): typeof mysql2 {
  const answers: Answers = new Map();
  const driver = {
    ...mysql2,
    createConnection: (options: Options) => createConnectionSharing(withIam(options, iam), answers),
    createPool: (options: Options) => createPool(withIam(options, iam)),
    createPoolCluster: (options: object) => createPoolCluster(withIam(options, iam)),
  };
  return driver as unknown as typeof mysql2;
}

function withIam(options: Options, iam: RdsIam): object {
  if (typeof options === 'string') return { uri: options, iam };
  // Frameworks hide a password from enumeration, and so from a copy: it is to be refused, not to be forgotten.
  const { password } = options as { readonly password?: unknown };
  return { ...options, ...(password !== undefined && { password }), iam };
}
