import { configError, shareOfWait } from '@rds-iam/core/adapter';
import type pg from 'pg';
import { checkConfig, type PoolConfig } from './config.js';
import { pgStream, TIMEOUT_OPTION } from './pg-stream.js';

/**
 * pg's own configuration with an IAM login behind its `stream` option: for what makes its own `Client` or `Pool` of pg, and
 * takes a configuration only. Where there is a choice, use the `Pool` and `Client` of this package.
 *
 * Every physical connection has a token of its own time. Where the configuration is not used as it is, connecting fails
 * with an error that says so.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` at once when an option is wrong or contradicts IAM; every code from connecting
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
  // TLS and the login are kept underneath: pg is asked for a password only where the stream is not in between.
  const inClear = { ssl: false, sslnegotiation: 'postgres' } as const;
  return { ...config, ...inClear, stream, password: streamIsMissing };
}

function streamIsMissing(): never {
  throw configError(
    undefined,
    'the "stream" that withRdsIam() gives to pg is missing, and the IAM login with it: pass the configuration on unchanged, or see the README of @rds-iam/pg for libraries that cannot',
  );
}
