// Separate from the checks, because users of the mariadb connector have those without mysql2 and its types.
import type { RdsIam, RdsIamOptions } from '@rds-iam/core';
import type { WithIam } from '@rds-iam/core/adapter';
import type * as mysql2 from 'mysql2';
import type { Secret } from '../config.js';

/** mysql2's own `ConnectionOptions`, with `iam` in place of the passwords. */
export type ConnectionOptions = WithIam<mysql2.ConnectionOptions, Secret>;

/** mysql2's own `PoolOptions`, with `iam` in place of the passwords. */
export type PoolOptions = WithIam<mysql2.PoolOptions, Secret>;

/** mysql2's own `PoolClusterOptions`, plus the `iam` option for all nodes without their own. */
export type PoolClusterOptions = mysql2.PoolClusterOptions & { readonly iam?: RdsIamOptions | RdsIam };
