import { configError, shareOfWait } from '@rds-iam/core/adapter';
import type pg from 'pg';
import { checkConfig, type PoolConfig } from './config.js';
import { pgStream, TIMEOUT_OPTION } from './pg-stream.js';

/**
 * pg's own configuration with an IAM login behind its `stream` option: for libraries that make their own `Client` or `Pool`
 * of pg and accept only a configuration. If there is a choice, use the `Pool` and `Client` of this package.
 *
 * Every physical connection logs in with a token that is valid at that time. If the library changes the configuration,
 * connecting fails with an error that says so.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` at once when an option is wrong or contradicts IAM; any code when connecting
 */
export function withRdsIam(given: string | PoolConfig): pg.PoolConfig {
  const checked = checkConfig<pg.PoolConfig>(given as PoolConfig);
  if (!checked.iam) return checked.config;
  const { stream: own, ...config } = checked.config;
  if (own !== undefined && typeof own !== 'function') {
    throw configError('stream', 'must be a function that returns a socket: a socket itself serves one attempt only');
  }
  const timeoutMs = shareOfWait(config.connectionTimeoutMillis ?? 0);
  const stream = () => pgStream(checked, { ...(timeoutMs > 0 && { timeoutMs }), timeoutOption: TIMEOUT_OPTION });
  // The stream handles TLS and the login: pg asks for a password only if the stream was left out.
  const inClear = { ssl: false, sslnegotiation: 'postgres' } as const;
  return { ...config, ...inClear, stream, password: streamIsMissing };
}

function streamIsMissing(): never {
  throw configError(
    undefined,
    'the "stream" from withRdsIam() did not reach pg, so the IAM login is missing: pass the configuration on unchanged, or see the README of @rds-iam/pg for libraries that cannot',
  );
}
