import { connect, type Socket } from 'node:net';
import { configError } from '@rds-iam/core';
import pg from 'pg';
import { checkConfig, type PoolConfig } from './config.js';
import { PgStream } from './pg-stream.js';

/** A login gives up before pg does, whose own error would say nothing of the cause. */
const SHARE_OF_TIMEOUT = 0.9;

/**
 * pg's own configuration with an IAM login behind its `stream` option: for what makes its own `Client` or `Pool` of pg, and
 * takes a configuration only. Whoever has the choice uses the `Pool` and `Client` of this package.
 *
 * Every physical connection has a token of its own time. Where the configuration is not used as it is, connecting fails
 * with an error that says so.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` at once when an option is wrong or contradicts IAM; every code from connecting
 */
export function withRdsIam(given: string | PoolConfig): pg.PoolConfig {
  const checked = checkConfig<pg.PoolConfig>(given as PoolConfig);
  if (!checked.iam) return checked.config;
  const { iam, ssl } = checked;
  const { stream: own, sslnegotiation, ...config } = checked.config as Fields;
  if (own !== undefined && typeof own !== 'function') {
    throw configError('"stream" must be a function that gives a socket: one that is given as it is serves one attempt');
  }
  // As pg reads them, which has defaults in the environment.
  const { host, port, user = '' } = new pg.Client(config);
  const { keepAlive = false, keepAliveInitialDelayMillis: keepAliveInitialDelay = 0 } = config;
  const timeoutMs = Math.floor(SHARE_OF_TIMEOUT * (config.connectionTimeoutMillis ?? 0));
  const stream = () =>
    new PgStream({
      iam,
      endpoint: { hostname: host, port, username: user },
      ssl,
      driver: {
        directTls: (sslnegotiation ?? process.env['PGSSLNEGOTIATION']) === 'direct',
        dial: (login) =>
          own?.().connect(login.port, login.hostname) ??
          connect({ host: login.hostname, port: login.port, noDelay: true, keepAlive, keepAliveInitialDelay }),
      },
      ...(timeoutMs > 0 && { timeoutMs }),
    });
  // TLS and the login are kept underneath: pg is asked for a password only where the stream is not in between.
  return { ...config, host, port, user, ssl: false, stream, password: streamIsMissing };
}

type Fields = Omit<pg.PoolConfig, 'stream'> & { readonly stream?: () => Socket; readonly sslnegotiation?: string };

function streamIsMissing(): never {
  throw configError(
    'the "stream" that withRdsIam() gives to pg is missing, and the IAM login with it: give the configuration on as it is, or see the README of @rds-iam/pg for what takes none',
  );
}
