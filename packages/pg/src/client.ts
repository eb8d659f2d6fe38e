import pg from 'pg';
import { type ClientConfig, checkConfig } from './config.js';
import { IamConnection, type IamConnectionOptions } from './connection.js';

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
    const { iam, ssl } = checked;
    const { stream, connectionTimeoutMillis, ...fields } = checked.config;
    const connection = new IamConnection({
      iam,
      ssl,
      stream: stream as IamConnectionOptions['stream'],
      keepAlive: fields.keepAlive,
      keepAliveInitialDelayMillis: fields.keepAliveInitialDelayMillis,
      sslNegotiation: sslNegotiationOf(fields),
      timeoutMs: connectionTimeoutMillis || undefined,
      stopRetrying: fields[poolEnded],
    });
    const withConnection = { ...fields, ssl: ssl ?? true, connection };
    super(withConnection as pg.ClientConfig);
    connection.logInTo({ hostname: this.host, port: this.port, username: this.user ?? '' });
  }
}

function sslNegotiationOf(config: { readonly sslnegotiation?: string | undefined }): string | undefined {
  return config.sslnegotiation ?? process.env['PGSSLNEGOTIATION'];
}
