import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { isRdsIamError, type RdsIam, type RdsIamError, type RdsIamOptions } from '@rds-iam/core';
import { configError } from '@rds-iam/core/adapter';
import * as mariadb from 'mariadb';
import { type Checked, checkConfig, type Given } from '../config.js';
import { IamStream } from '../wire/iam-stream.js';
import { Interpreter } from '../wire/interpreter.js';
import type { Driver } from '../wire/server-login.js';

export type CheckedForIam = Extract<Checked<mariadb.PoolConfig>, { readonly endpoint: unknown }>;

/** The options of one connection, which the connector passes as `this` to its `stream` option. */
interface OptionsOfConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** The time that a pool has left for opening a connection, in milliseconds; 0 outside a pool. */
  readonly connectTimeout: number;
  logger: { readonly error: ((error: mariadb.SqlError) => void) | null };
}

/** A pool's control over its logins. */
export interface LoginsOfPool {
  /** Ends every login that is under way. */
  readonly ended: AbortSignal;
  opening?(options: OptionsOfConnection, stream: IamStream): void;
  failed?(error: RdsIamError): void;
}

/** The connector's own time-out is longer than ours by this much, in milliseconds, because our error says more. */
const LONGER_MS = 1_000;

/** The connector's defaults: how long a checkout waits, and how much less time a pool has to open a connection. */
const ACQUIRE_TIMEOUT_MS = 10_000;
const SHORTER_MS = 100;
const MIN_INITIALIZATION_MS = 100;

/** The user is told of the login itself, not of the connection that only interprets it. */
const SILENT = { debug: false, debugCompress: false, logger: {} } as const;

export function check(
  options: string | mariadb.PoolConfig | object,
  shared?: RdsIam | RdsIamOptions,
): Checked<mariadb.PoolConfig> {
  const checked = checkConfig<mariadb.PoolConfig>(options as Given<mariadb.PoolConfig>, shared);
  return checked.iam ? checked : { iam: undefined, config: asConnectorTakesIt(checked.config) };
}

/** The connector reads a URI only if it is the sole argument; otherwise it would dial localhost. */
function asConnectorTakesIt(config: string | mariadb.PoolConfig): string | mariadb.PoolConfig {
  const { uri, ...fields } = (typeof config === 'string' ? { uri: config } : config) as { readonly uri?: string };
  if (uri === undefined) return config;
  const [name] = Object.keys(fields);
  if (name === undefined) return uri;
  throw configError('uri', `excludes "${name}" without IAM: give all of the connector's options as fields`);
}

/**
 * The connector's options with the IAM login behind its `stream` option. The connector is not aware of a password or TLS: the
 * stream handles both, also because version 3.4 would send a password in clear. (See {@link IamStream}.)
 */
export function withIamStream(
  { iam, config, endpoint, ssl, timeoutMs }: CheckedForIam,
  logins?: LoginsOfPool,
): mariadb.PoolConfig {
  const { keepAliveDelay, stream: ownStream } = config;
  const options = {
    ...config,
    ...withoutFirstStatement(config),
    port: endpoint.port,
    connectTimeout: 0,
    // The connector would follow a server's redirect without a token and without TLS.
    permitRedirect: false,
    ssl: false,
  };
  const interpreter = new Interpreter((over, failed) => {
    mariadb.createConnection({ ...options, ...SILENT, stream: () => over }).catch(failed);
  }, new Map());
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
    answerTo: (greeting) => interpreter.answerTo(greeting),
    errorOf: (refusal, greeting) => interpreter.errorOf(refusal, greeting),
  };

  function stream(this: OptionsOfConnection, callback: mariadb.StreamCallback): IamStream {
    const { host: hostname, port, user: username, connectTimeout } = this;
    const made = new IamStream({
      iam,
      endpoint: { hostname, port, username },
      driver,
      ssl,
      ...(timeoutMs !== undefined && { timeoutMs, timeoutOption: 'connectTimeout' }),
      ...(connectTimeout > 0 && {
        atMostMs: Math.max(1, connectTimeout - LONGER_MS),
        atMostOption: config.initializationTimeout === undefined ? 'acquireTimeout' : 'initializationTimeout',
      }),
      ...(logins && { signal: logins.ended }),
    });
    logins?.opening?.(this, made);
    made.once('error', (error) => {
      if (!isRdsIamError(error)) return;
      logins?.failed?.(error);
      // A copy, because a pool changes the message of the error that it gets.
      callback(new Error(error.message, { cause: error }));
    });
    return made;
  }
  return { ...options, ...(logins && timesOf(config)), stream } as mariadb.PoolConfig;
}

/** A pool gives up on a login when it would on its own, but with our error. */
function timesOf({ acquireTimeout, initializationTimeout }: mariadb.PoolConfig) {
  const loginMs = Math.max(MIN_INITIALIZATION_MS, Number(acquireTimeout ?? ACQUIRE_TIMEOUT_MS) - SHORTER_MS);
  return { initializationTimeout: Number(initializationTimeout ?? loginMs) + LONGER_MS };
}

/** The reason why a login failed, if the connector's error contains it; otherwise that error. */
export function reasonOf(error: unknown): unknown {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (isRdsIamError(cause)) return cause;
  }
  return error;
}

/**
 * If a connection breaks during the `SET NAMES` after the login, the connector before 3.5 leaves a rejection unhandled, which
 * ends the process. With a collation it sends no `SET NAMES`; this one is mysql2's default and sets the same character set.
 */
function withoutFirstStatement({ collation, charset }: mariadb.ConnectionConfig): { readonly collation?: string } {
  const isOld = /^3\.[0-4]\./.test(mariadb.version);
  return isOld && collation === undefined && charset === undefined ? { collation: 'UTF8MB4_UNICODE_CI' } : {};
}

/** Calls a `stream` option of the connector's, with the options as `this`: the stream comes by callback or as the result. */
function streamOf(
  makeStream: NonNullable<mariadb.ConnectionConfig['stream']>,
  options: mariadb.ConnectionConfig,
): Promise<Duplex | undefined> {
  return new Promise((resolve, reject) => {
    const result: unknown = makeStream.call(options, (error, stream) => (error ? reject(error) : resolve(stream)));
    if (result instanceof Duplex) resolve(result);
  });
}

/** The connector would answer the server's request for a token with a password it does not have, and hang if refused. */
export function withoutChangeUser<Connection extends mariadb.Connection>(connection: Connection): Connection {
  connection.changeUser = async () => {
    throw configError(
      undefined,
      '"changeUser" is not possible with IAM over the mariadb connector: open a connection as that user with createConnection()',
    );
  };
  return connection;
}
