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

/** The options of one connection, which the connector has as the `this` of its `stream` option. */
interface OptionsOfConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** What is left to a pool for opening a connection, in milliseconds; 0 outside a pool. */
  readonly connectTimeout: number;
  logger: { readonly error: ((error: mariadb.SqlError) => void) | null };
}

/** What a pool wants to hear of its logins, and to say to them. */
export interface LoginsOfPool {
  /** Ends every login that is under way. */
  readonly ended: AbortSignal;
  opening?(options: OptionsOfConnection, stream: IamStream): void;
  failed?(error: RdsIamError): void;
}

/** By this the connector's own time for a connection, in milliseconds, is longer than ours, whose error says more. */
const LONGER_MS = 1_000;

/** The connector's defaults: how long a checkout waits, and by how much less a pool tries to open a connection. */
const ACQUIRE_TIMEOUT_MS = 10_000;
const SHORTER_MS = 100;
const MIN_INITIALIZATION_MS = 100;

export function check(
  options: string | mariadb.PoolConfig | object,
  shared?: RdsIam | RdsIamOptions,
): Checked<mariadb.PoolConfig> {
  const checked = checkConfig<mariadb.PoolConfig>(options as Given<mariadb.PoolConfig>, shared);
  return checked.iam ? checked : { iam: undefined, config: asConnectorTakesIt(checked.config) };
}

/** The connector reads a URI only where it is all that it is given, and would else dial this machine. */
function asConnectorTakesIt(config: string | mariadb.PoolConfig): string | mariadb.PoolConfig {
  const { uri, ...fields } = (typeof config === 'string' ? { uri: config } : config) as { readonly uri?: string };
  if (uri === undefined) return config;
  const [name] = Object.keys(fields);
  if (name === undefined) return uri;
  throw configError('uri', `excludes "${name}" without IAM: give all options of the connector as fields`);
}

/**
 * The connector's options with the IAM login behind its `stream` option. The connector knows no password and no TLS: both
 * are kept underneath, also because its version 3.4 would send a password in clear. (See {@link IamStream}.)
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
    // A server's wish to be redirected would be followed without a token, and without TLS.
    permitRedirect: false,
    ssl: false,
  };
  const interpreter = new Interpreter((over, failed) => {
    mariadb.createConnection({ ...options, stream: () => over }).catch(failed);
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
      // A copy: a pool writes into the message of what it is told.
      callback(new Error(error.message, { cause: error }));
    });
    return made;
  }
  return { ...options, ...(logins && timesOf(config)), stream } as mariadb.PoolConfig;
}

/** A pool gives up on a login when it would on its own, but in words of ours. */
function timesOf({ acquireTimeout, initializationTimeout }: mariadb.PoolConfig) {
  const loginMs = Math.max(MIN_INITIALIZATION_MS, Number(acquireTimeout ?? ACQUIRE_TIMEOUT_MS) - SHORTER_MS);
  return { initializationTimeout: Number(initializationTimeout ?? loginMs) + LONGER_MS };
}

/** What went wrong with a login, where that is in what the connector made of it; else its own error. */
export function reasonOf(error: unknown): unknown {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (isRdsIamError(cause)) return cause;
  }
  return error;
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

/** The connector answers the server's request for a token with a password that it does not have, and hangs if it is refused. */
export function withoutChangeUser<Connection extends mariadb.Connection>(connection: Connection): Connection {
  connection.changeUser = async () => {
    throw configError(
      undefined,
      '"changeUser" is not possible with IAM over the mariadb connector: open a connection as that user with createConnection()',
    );
  };
  return connection;
}
