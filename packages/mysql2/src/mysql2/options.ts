// Apart from the checks, which the mariadb connector's users have without mysql2 and its types.
import type { RdsIam, RdsIamOptions } from '@rds-iam/core';
import type { WithIam } from '@rds-iam/core/adapter';
import type * as mysql2 from 'mysql2';
import type { Secret } from '../config.js';

/** mysql2's own `ConnectionOptions`, with `iam` in place of the passwords. */
export type ConnectionOptions = WithIam<mysql2.ConnectionOptions, Secret>;

/** mysql2's own `PoolOptions`, with `iam` in place of the passwords. */
export type PoolOptions = WithIam<mysql2.PoolOptions, Secret>;

/** mysql2's own `PoolClusterOptions`, with the `iam` of all nodes that have none of their own. */
export type PoolClusterOptions = mysql2.PoolClusterOptions & { readonly iam?: RdsIamOptions | RdsIam };
