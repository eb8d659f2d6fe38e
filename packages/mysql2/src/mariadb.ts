import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { configError, isRdsIamError, type RdsIam, type WithIam } from '@rds-iam/core';
import * as mariadb from 'mariadb';
import { type Checked, checkConfig, type Given } from './config.js';
import { IamStream } from './iam-stream.js';
import type { Driver } from './login.js';
import { MariadbPool } from './mariadb-pool.js';

export {
  type AuthToken,
  createRdsIam,
  isRdsIamError,
  type RdsIam,
  RdsIamError,
  type RdsIamErrorCode,
  type RdsIamOptions,
} from '@rds-iam/core';
export { checkConnectionUrl } from './config.js';

/** The mariadb connector's own `ConnectionConfig`, with `iam` in place of `password`. */
export type ConnectionConfig = WithIam<mariadb.ConnectionConfig>;

/** The mariadb connector's own `PoolConfig`, with `iam` in place of `password`. */
export type PoolConfig = WithIam<mariadb.PoolConfig>;

/** What a pool of mariadb's is used for, by applications and by `@prisma/adapter-mariadb`. */
export type Pool = Pick<
  mariadb.Pool,
  | 'closed'
  | 'getConnection'
  | 'query'
  | 'execute'
  | 'batch'
  | 'end'
  | 'activeConnections'
  | 'idleConnections'
  | 'totalConnections'
  | 'taskQueueSize'
>;

type CheckedForIam = Extract<Checked<mariadb.PoolConfig>, { readonly endpoint: unknown }>;

/**
 * `createConnection` of the mariadb connector, logging in with IAM: the same options less `password`, plus `iam`. A login
 * is tried again where that can help, within `connectTimeout` or else `iam.retry.timeoutMs`.
 *
 * @throws RdsIamError of every code
 */
export async function createConnection(options: string | ConnectionConfig): Promise<mariadb.Connection> {
  const checked = check(options);
  return checked.iam ? open(checked) : mariadb.createConnection(checked.config);
}

/**
 * `createPool` of the mariadb connector, logging in with IAM: the same options less `password`, plus `iam`. It opens
 * connections as they are asked for, keeps `connectionLimit`, `acquireTimeout`, `idleTimeout` and `minDelayValidation`,
 * and throws what is wrong with a login as it is.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` at once when an option is wrong or contradicts IAM; every code from
 * `getConnection`, `query`, `execute` and `batch`
 */
export function createPool(options: string | PoolConfig): Pool {
  const checked = check(options);
  if (!checked.iam) return mariadb.createPool(checked.config);
  const ended = new AbortController();
  const pool = new MariadbPool(
    () => open(checked, ended.signal),
    () => ended.abort(),
    checked.config,
  );
  return pool as Pool;
}

/**
 * The module `mariadb` whose connections and pools log in with IAM, for a framework that takes the driver's module as an
 * option: it then gives its own configuration to them as to the connector's.
 */
export function mariadbDriver(iam: RdsIam): typeof mariadb {
  const withIam = (options: string | object) =>
    typeof options === 'string' ? { uri: options, iam } : { ...options, iam };
  const driver = {
    ...mariadb,
    createConnection: (options: string | object) => createConnection(withIam(options)),
    createPool: (options: string | object) => createPool(withIam(options)),
  };
  return driver as unknown as typeof mariadb;
}

function check(options: string | PoolConfig): Checked<mariadb.PoolConfig> {
  const checked = checkConfig<mariadb.PoolConfig>(options as Given<mariadb.PoolConfig>);
  return checked.iam ? checked : { iam: undefined, config: asConnectorTakesIt(checked.config) };
}

/** The connector reads a URI only where it is all that it is given, and would else dial this machine. */
function asConnectorTakesIt(config: string | mariadb.PoolConfig): string | mariadb.PoolConfig {
  const { uri, ...fields } = (typeof config === 'string' ? { uri: config } : config) as { readonly uri?: string };
  if (uri === undefined) return config;
  const [name] = Object.keys(fields);
  if (name === undefined) return uri;
  throw configError(`"uri" and "${name}" exclude each other without IAM: give the options of the connector as fields`);
}

/**
 * One physical connection. The connector knows no password and no TLS: both are kept underneath its stream, also because
 * its version 3.4 would send a password in clear. (See {@link IamStream}.)
 */
async function open(
  { iam, config, endpoint, ssl, timeoutMs }: CheckedForIam,
  stopRetrying?: AbortSignal,
): Promise<mariadb.Connection> {
  const { keepAliveDelay, stream: ownStream } = config;
  // A server's wish to be redirected would be followed without a token, and without TLS.
  const options = {
    ...config,
    ...withoutFirstStatement(config),
    port: endpoint.port,
    connectTimeout: 0,
    permitRedirect: false,
    ssl: false,
  };
  const driver: Driver = {
    async dial({ hostname: host, port }) {
      const own = ownStream && (await streamOf(ownStream, { ...config, host, port }));
      return (
        own ??
        connect({
          host,
          port,
          noDelay: true,
          keepAlive: true,
          ...(keepAliveDelay !== undefined && { keepAliveInitialDelay: keepAliveDelay }),
        })
      );
    },
    answers: new Map(),
    speak(over, failed) {
      mariadb.createConnection({ ...options, stream: () => over }).catch(failed);
    },
  };
  const stream = new IamStream({
    iam,
    endpoint,
    driver,
    ssl,
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(stopRetrying && { stopRetrying }),
  });
  let failure: unknown;
  stream.once('error', (error) => {
    failure = error;
  });
  try {
    return await mariadb.createConnection({ ...options, stream: () => stream });
  } catch (error) {
    stream.destroy();
    throw isRdsIamError(failure) ? failure : error;
  }
}

/**
 * The connector before 3.5 leaves a rejection unhandled, which ends the process, where a connection breaks off in the
 * `SET NAMES` that follows the login. With a collation there is none: this is mysql2's own, and says the same of the charset.
 */
function withoutFirstStatement({ collation, charset }: mariadb.ConnectionConfig): { readonly collation?: string } {
  const isOld = /^3\.[0-4]\./.test(mariadb.version);
  return isOld && collation === undefined && charset === undefined ? { collation: 'UTF8MB4_UNICODE_CI' } : {};
}

/** What the connector's `stream` option gives: by callback or as the result, for the options that are its `this`. */
function streamOf(
  makeStream: NonNullable<mariadb.ConnectionConfig['stream']>,
  options: mariadb.ConnectionConfig,
): Promise<Duplex | undefined> {
  return new Promise((resolve, reject) => {
    const result: unknown = makeStream.call(options, (error, stream) => (error ? reject(error) : resolve(stream)));
    if (result instanceof Duplex) resolve(result);
  });
}
