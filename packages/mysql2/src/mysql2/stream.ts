import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { isRdsIamError } from '@rds-iam/core';
import type { Login } from '@rds-iam/core/adapter';
import type * as mysql2 from 'mysql2';
import type { Checked } from '../config.js';
import { IamStream } from '../wire/iam-stream.js';
import { type Answers, Interpreter } from '../wire/interpreter.js';
import { answerChangeUser } from './change-user.js';
import type { Failures } from './failures.js';
import { connectUnheard } from './unheard-connection.js';

/** What mysql2 passes to its `stream` option, once for each connection. */
interface StreamArgument {
  readonly config: ConnectionConfig;
}

interface ConnectionConfig {
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
  readonly compress: unknown;
}

type MakeStream = (argument: StreamArgument) => Duplex;

/** How mysql2 has answered greetings, by every part of its configuration that goes into an answer. */
export type AnswersByConfig = Map<string, Answers>;

/**
 * mysql2's options with the IAM login behind its `stream` option. mysql2 is not aware of TLS, a password or a deadline: the
 * stream handles all three.
 */
export function withIamStream<Config extends mysql2.ConnectionOptions>(
  { iam, config, ssl, timeoutMs }: Extract<Checked<Config>, { readonly endpoint: unknown }>,
  failures: Failures,
  answers: AnswersByConfig = new Map(),
): Config {
  const { enableCleartextPlugin: _, stream: ownStream, ...fields } = config as OwnOptions;
  const options = {
    ...fields,
    connectTimeout: 0,
    authPlugins: { ...fields.authPlugins, mysql_clear_password: answerChangeUser },
  };
  let ended: AbortSignal | undefined;

  const stream: MakeStream = ({ config }) => {
    const { host: hostname, port, user: username, pool } = config;
    if (pool) ended ??= signalOfEnd(pool);
    const interpreter = interpreterFor(config, answers);
    const made = new IamStream({
      iam,
      endpoint: { hostname, port, username },
      driver: {
        dial: (login) => dial(login, config, ownStream),
        answerTo: (greeting) => interpreter.answerTo(greeting),
        errorOf: (refusal, greeting) => interpreter.errorOf(refusal, greeting),
      },
      ssl,
      ...(timeoutMs !== undefined && { timeoutMs, timeoutOption: 'connectTimeout' }),
      ...(ended && { stopRetrying: ended }),
    });
    made.on('error', (error) => failures.add(error));
    return made;
  };
  return { ...options, stream } as unknown as Config;
}

type OwnOptions = mysql2.ConnectionOptions & { readonly stream?: MakeStream };

function dial({ hostname, port }: Login, config: ConnectionConfig, ownStream: MakeStream | undefined): Duplex {
  if (ownStream) return ownStream({ config: { ...config, host: hostname, port } });
  const { enableKeepAlive: keepAlive, keepAliveInitialDelay } = config;
  return connect({
    host: hostname,
    port,
    noDelay: true,
    keepAlive,
    ...(keepAliveInitialDelay !== undefined && { keepAliveInitialDelay }),
  });
}

function interpreterFor(config: ConnectionConfig, answers: AnswersByConfig): Interpreter {
  const { user, database, clientFlags, charsetNumber, connectAttributes } = config;
  // As of now: older versions of mysql2 share one object in a pool, and clear this in it if a server cannot compress.
  const compress = Boolean(config.compress);
  const key = JSON.stringify([user, database, clientFlags, charsetNumber, connectAttributes, compress]);
  const known = answers.get(key) ?? new Map();
  answers.set(key, known);
  return new Interpreter((over, failed) => connectUnheard({ ...config, compress }, over).on('error', failed), known);
}

/** Aborted when the pool is ended. A failed login then does not make `end` fail, as it would with mysql2 alone. */
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
