import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { configError, isRdsIamError } from '@rds-iam/core';
import * as mysql2 from 'mysql2';
import type { Checked } from '../config.js';
import { IamStream } from '../wire/iam-stream.js';
import type { Driver } from '../wire/login.js';
import type { Failures } from './failures.js';

/** What mysql2 hands to its `stream` option, once for each connection. */
interface StreamArgument {
  readonly config: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly database?: string | undefined;
    readonly enableKeepAlive: boolean;
    readonly keepAliveInitialDelay?: number | undefined;
    readonly pool?: mysql2.Pool | undefined;
    readonly clientFlags: unknown;
    readonly charsetNumber: unknown;
    readonly connectAttributes: unknown;
    readonly multipleStatements: unknown;
    readonly compress: unknown;
  };
}

/** How a driver has answered greetings, by its configuration. */
export type Answers = Map<string, Driver['answers']>;

type MakeStream = (argument: StreamArgument) => Duplex;

/**
 * mysql2's options with the IAM login behind its `stream` option. For mysql2 there is no TLS, no password and no deadline
 * then: all three are kept underneath.
 */
export function withIamStream<Config extends mysql2.ConnectionOptions>(
  { iam, config, ssl, timeoutMs }: Extract<Checked<Config>, { readonly endpoint: unknown }>,
  failures: Failures,
  answers: Answers = new Map(),
): Config {
  const {
    enableCleartextPlugin: _,
    stream: ownStream,
    ...fields
  } = config as mysql2.ConnectionOptions & {
    readonly stream?: MakeStream;
  };
  const options = {
    ...fields,
    connectTimeout: 0,
    authPlugins: { ...fields.authPlugins, mysql_clear_password: answerChangeUser },
  };
  let stopRetrying: AbortSignal | undefined;
  // By all of the configuration that is in an answer.
  const answersOf = (...answered: readonly unknown[]) => {
    const key = JSON.stringify(answered);
    const known = answers.get(key) ?? new Map();
    answers.set(key, known);
    return known;
  };

  const stream: MakeStream = ({ config }) => {
    const { host: hostname, port, user: username, database, pool } = config;
    const { clientFlags, charsetNumber, connectAttributes } = config;
    // Older versions of mysql2 forget the wish, for all of a pool, where one server cannot.
    const compress = Boolean(config.compress);
    if (pool) stopRetrying ??= signalOfEnd(pool);
    const driver: Driver = {
      answers: answersOf(username, database, clientFlags, charsetNumber, connectAttributes, compress),
      dial: (login) =>
        ownStream?.({ config: { ...config, host: login.hostname, port: login.port } }) ??
        connect({
          host: login.hostname,
          port: login.port,
          noDelay: true,
          keepAlive: config.enableKeepAlive,
          ...(config.keepAliveInitialDelay !== undefined && { keepAliveInitialDelay: config.keepAliveInitialDelay }),
        }),
      speak(over, failed) {
        // It runs no statement: room for 16,000 of them is most of what a connection of mysql2's costs.
        // Of what is in an answer, a framework may have added to our options.
        const current = {
          ...{ user: username, ...(database !== undefined && { database }), compress },
          ...{ multipleStatements: config.multipleStatements, charset: undefined, charsetNumber, connectAttributes },
        } as object as mysql2.ConnectionOptions;
        mysql2
          .createConnection({ ...options, ...current, maxPreparedStatements: 1, stream: () => over })
          .on('error', failed);
      },
    };
    const made = new IamStream({
      iam,
      endpoint: { hostname, port, username },
      driver,
      ssl,
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(stopRetrying && { stopRetrying }),
    });
    made.on('error', (error) => failures.add(error));
    return made;
  };
  return { ...options, stream } as unknown as Config;
}

/** Aborted when the pool is ended. Such an end does not fail because a login fails, as it would with mysql2 alone. */
function signalOfEnd(pool: mysql2.Pool): AbortSignal {
  const ended = new AbortController();
  const end = pool.end.bind(pool);
  pool.end = (callback) => {
    ended.abort();
    end((error) => {
      const failure = isRdsIamError(error) ? null : error;
      if (callback) callback(failure);
      else if (failure) throw failure;
    });
  };
  return ended.signal;
}

/** Asked when a connection that has logged in changes its user. */
const answerChangeUser: mysql2.AuthPlugin = ({ connection, command }) => {
  const { stream } = connection as unknown as { readonly stream: IamStream };
  const { user } = command as unknown as { readonly user: string };
  return async () => {
    try {
      if (!(stream instanceof IamStream)) throw streamIsMissing();
      return Buffer.from(`${await stream.tokenFor(user)}\0`);
    } catch (error) {
      // mysql2 would put a code of its own in place of ours.
      stream.destroy(error as Error);
      return Buffer.alloc(0);
    }
  };
};

function streamIsMissing(): Error {
  return configError(
    'the "stream" that withRdsIam() gives to mysql2 is missing, and the IAM login with it: give the options on as they are',
  );
}
