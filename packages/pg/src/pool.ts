import { setMaxListeners } from 'node:events';
import { isRdsIamError } from '@rds-iam/core';
import { configError } from '@rds-iam/core/adapter';
import pg from 'pg';
import { Client, poolEnded } from './client.js';
import { checkConfig, type PoolConfig } from './config.js';

type ConnectCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: unknown) => void,
) => void;
type PooledConfig = pg.PoolConfig & { Client?: unknown };

/**
 * pg's `Pool` with IAM logins: the same options without `password`, plus `iam`. Every physical connection logs in with a token
 * that is valid at that time; checkouts cost no more than with pg. A failed login is retried if that can help, within
 * `connectionTimeoutMillis` or else `iam.retry.timeoutMs`, while it keeps its slot in the pool.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` from the constructor when an option is wrong or contradicts IAM; any code from
 * `connect()` and `query()`
 */
export class Pool extends pg.Pool {
  readonly #ended: AbortController;

  constructor(config?: PoolConfig) {
    const ended = new AbortController();
    // Every connection under way adds a listener.
    setMaxListeners(0, ended.signal);
    super(iamPoolConfig(config, ended.signal));
    this.#ended = ended;
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | undefined {
    if (!callback) return super.connect().catch((error: unknown) => Promise.reject(diagnosisOf(error)));
    super.connect((error, client, done) => callback(diagnosisOf(error), client, done));
    return undefined;
  }

  override end(): Promise<void>;
  override end(callback: () => void): void;
  override end(callback?: () => void): Promise<void> | undefined {
    this.#ended.abort();
    if (!callback) return super.end();
    super.end(callback);
    return undefined;
  }
}

/**
 * pg's own `PoolConfig` with a `Client` that logs in with IAM: for a framework that makes its own pool, from whichever copy
 * of pg it loads.
 *
 * @param ended - aborted when the pool is ended: a login under way may then finish, but none is retried
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` when an option is wrong or contradicts IAM
 */
export function iamPoolConfig(config: PoolConfig | undefined, ended: AbortSignal): pg.PoolConfig {
  const checked = checkConfig<PooledConfig>(config as PooledConfig);
  if (!checked.iam) return checked.config;
  const own = checked.config.Client;
  if (own !== undefined && own !== Client && !(typeof own === 'function' && own.prototype instanceof Client)) {
    throw configError(
      'Client',
      'must be the Client of @rds-iam/pg or extend it: any other one does not log in with IAM',
    );
  }
  const options = { ...checked.config, iam: checked.iam, Client: own ?? Client, [poolEnded]: ended };
  return options as pg.PoolConfig;
}

/** pg-pool wraps our error in one of its own when `connectionTimeoutMillis` has run out; ours says what happened. */
function diagnosisOf<E>(error: E): E {
  const cause = error instanceof Error ? error.cause : undefined;
  return isRdsIamError(cause) ? (cause as E) : error;
}
