import pg from 'pg';
import { type ClientConfig, checkConfig } from './config.js';
import { pgStream, TIMEOUT_OPTION } from './pg-stream.js';

/** Under this key a pool tells the clients it makes that it has been ended. */
export const poolEnded = Symbol('rds-iam pool ended');

type PooledConfig = pg.ClientConfig & { readonly [poolEnded]?: AbortSignal };

/**
 * pg's `Client`, logging in with IAM: the same options less `password`, plus `iam`. `connect()` tries again where that
 * can help, within `connectionTimeoutMillis` or else `iam.retry.timeoutMs`.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` from the constructor when an option is wrong or contradicts IAM; every code
 * from `connect()`
 */
export class Client extends pg.Client {
  constructor(config?: string | ClientConfig) {
    const checked = checkConfig<PooledConfig>(config as PooledConfig);
    if (!checked.iam) {
      super(checked.config);
      return;
    }
    const { stream: made, connectionTimeoutMillis, ...fields } = checked.config;
    const ended = fields[poolEnded];
    // A stream that is there already can be used once.
    const stopRetrying = typeof made === 'object' ? AbortSignal.abort() : ended;
    const stream = pgStream(checked, {
      ...(connectionTimeoutMillis && { timeoutMs: connectionTimeoutMillis, timedOutByDestroy: ended !== undefined }),
      timeoutOption: TIMEOUT_OPTION,
      ...(stopRetrying && { stopRetrying }),
    });
    // TLS is underneath.
    super({ ...fields, ssl: false, sslnegotiation: 'postgres', stream } as unknown as pg.ClientConfig);
  }
}
