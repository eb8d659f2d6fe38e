import { once } from 'node:events';
import { connect, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { configError, type Login } from '@rds-iam/core/adapter';
import { ErrorField, type ErrorFields, encodeFirstPacket } from '@rds-iam/wire/postgres';
import pg from 'pg';
import type { CheckedForIam } from './config.js';
import { IamStream, type IamStreamOptions } from './wire/iam-stream.js';
import { messageOf } from './wire/server-error.js';

/** pg's name for the time that a connection may take. */
export const TIMEOUT_OPTION = 'connectionTimeoutMillis';

/** Makes the value of pg's `stream` option from a checked configuration. */
export function pgStream(
  { iam, ssl, endpoint, directTls, config }: CheckedForIam<pg.ClientConfig>,
  options: Pick<IamStreamOptions, 'timeoutMs' | 'timeoutOption' | 'timedOutByDestroy' | 'stopRetrying'>,
): PgStream {
  const { stream: made, ...fields } = config;
  return new PgStream({
    ...options,
    iam,
    endpoint,
    ssl,
    driver: {
      directTls,
      errorOf: databaseError,
      dial: (login) => dial(login, made as Duplex | MakeStream | undefined, { ...fields, ssl }),
    },
  });
}

const SSL_REQUEST = encodeFirstPacket({ kind: 'ssl' });

/** {@link IamStream} as pg uses a stream: pg itself tells it to connect, and where to. */
class PgStream extends IamStream {
  readonly #options: IamStreamOptions;

  constructor(options: IamStreamOptions) {
    super(options);
    this.#options = options;
  }

  /** Only pretends to connect: logging in begins with the driver's startup message. */
  connect(port: number, host: string): this {
    const { endpoint } = this.#options;
    if (port === endpoint.port && host === endpoint.hostname) {
      process.nextTick(() => {
        if (!this.destroyed) this.emit('connect');
      });
      return this;
    }
    const given = `${endpoint.hostname}:${endpoint.port}`;
    return this.destroy(
      configError(
        undefined,
        `"host" and "port" have become ${host}:${port}, but withRdsIam() was called for ${given}, which the token is for: call it once for each endpoint`,
      ),
    );
  }

  protected override writeEarly(chunk: Buffer, done: (error?: Error | null) => void): void {
    if (SSL_REQUEST.equals(chunk)) {
      done(configError('ssl', 'was set after withRdsIam(), which handles TLS itself: pass it to withRdsIam()'));
    } else {
      super.writeEarly(chunk, done);
    }
  }
}

/** pg's `stream` option, if it is a function. */
type MakeStream = (config: object) => Duplex;

async function dial(
  { hostname, port, signal }: Login,
  made: Duplex | MakeStream | undefined,
  config: Pick<pg.ClientConfig, 'ssl' | 'keepAlive' | 'keepAliveInitialDelayMillis'>,
): Promise<Duplex> {
  if (made === undefined) {
    const { keepAlive = false, keepAliveInitialDelayMillis: keepAliveInitialDelay = 0 } = config;
    return connect({ host: hostname, port, noDelay: true, keepAlive, keepAliveInitialDelay });
  }
  const stream = typeof made === 'function' ? made(config) : made;
  const { connecting, pending } = stream as Partial<Socket>;
  // pg calls `connect` on every stream; one that is connecting or connected already is accepted as well.
  if (!hasConnect(stream) || connecting === true || pending === false) return stream;
  stream.connect(port, hostname);
  if (!(stream instanceof Socket)) await once(stream, 'connect', { signal });
  return stream;
}

function hasConnect(stream: Duplex): stream is Duplex & { connect(port: number, hostname: string): unknown } {
  return 'connect' in stream && typeof stream.connect === 'function';
}

/** The server's error as pg's own class. */
function databaseError(fields: ErrorFields): Error {
  const error = new pg.DatabaseError(messageOf(fields), 0, 'error');
  const named = {
    severity: fields.get(ErrorField.severity) ?? fields.get(ErrorField.localizedSeverity),
    code: fields.get(ErrorField.sqlState),
    detail: fields.get(ErrorField.detail),
    hint: fields.get(ErrorField.hint),
    where: fields.get(ErrorField.where),
    file: fields.get(ErrorField.file),
    line: fields.get(ErrorField.line),
    routine: fields.get(ErrorField.routine),
  };
  return Object.assign(error, named);
}
