import pg from 'pg';
import { type ClientConfig, checkConfig } from './config.js';
import { pgStream, TIMEOUT_OPTION } from './pg-stream.js';

/** The key of the signal with which a pool tells its clients that it has been ended. */
export const poolEnded = Symbol('rds-iam pool ended');

type PooledConfig = pg.ClientConfig & { readonly [poolEnded]?: AbortSignal };

/**
 * pg's `Client` with an IAM login: the same options without `password`, plus `iam`. `connect()` retries if that can help,
 * within `connectionTimeoutMillis` or else `iam.retry.timeoutMs`.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` from the constructor when an option is wrong or contradicts IAM; any code from
 * `connect()`
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
    // A ready-made stream can be used only once.
    const stopRetrying = typeof made === 'object' ? AbortSignal.abort() : ended;
    const stream = pgStream(checked, {
      ...(connectionTimeoutMillis && { timeoutMs: connectionTimeoutMillis, timedOutByDestroy: ended !== undefined }),
      timeoutOption: TIMEOUT_OPTION,
      ...(stopRetrying && { stopRetrying }),
    });
    // The stream handles TLS.
    super({ ...fields, ssl: false, sslnegotiation: 'postgres', stream } as unknown as pg.ClientConfig);
  }
}
