import type { RdsIam } from '@rds-iam/core';
import {
  type ConnectOptions,
  DialedStream,
  type Endpoint,
  type Login,
  LoginFailure,
  postgres,
} from '@rds-iam/core/adapter';
import { MessageAssembler, RequestCode } from '@rds-iam/wire/postgres';
import { askToCancel, type Driver, logIn, MAX_LOGIN_BYTES, type Opened } from './login.js';

export interface IamStreamOptions extends ConnectOptions {
  readonly iam: RdsIam;
  readonly endpoint: Endpoint;
  readonly driver: Omit<Driver, 'opening'>;
  /** Whether the driver destroys this stream, without an error, when its time-out is over; it then gets the login's error. */
  readonly timedOutByDestroy?: boolean;
}

/** The type of the Terminate message. */
const TERMINATE = 0x58;

/**
 * The stream that a driver's connection runs over: the one hook of this package. Behind it, `iam.connect` dials and logs in
 * with the driver's own startup message, several times if need be, before the driver hears anything. Then the server's
 * messages are replayed to the driver, and from there on every byte passes through. The driver writes in clear and has no
 * password: the stream handles TLS, and the token is never a property of anything and passes one gate only.
 *
 * It fails as a socket does, with 'error' and then 'close', which drivers expect in every state. (With postgres.js, a promise
 * for a socket that rejects, or a password function that does, loses the connection or ends the process.)
 */
export class IamStream extends DialedStream {
  readonly #options: IamStreamOptions;
  readonly #closed = new AbortController();
  readonly #timedOut = new AbortController();
  #login: Promise<Opened> | undefined;
  readonly #first = new MessageAssembler(MAX_LOGIN_BYTES);
  #isOpening = false;

  constructor(options: IamStreamOptions) {
    super();
    this.#options = options;
  }

  protected override writeEarly(chunk: Buffer, done: (error?: Error | null) => void): void {
    // While it waits for the login, a driver can only write that it gives up.
    const isFarewell = this.#isOpening || (this.#first.buffered === 0 && chunk[0] === TERMINATE);
    try {
      if (!isFarewell) {
        this.#first.add(chunk);
        const opening = this.#first.takeFirstPacket();
        if (opening) this.#open(opening);
      }
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  protected override abandon(): void {
    this.#closed.abort();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const isTimeout = error === null && this.#options.timedOutByDestroy && !this.socket && !this.writableEnded;
    if (!isTimeout || !this.#login) {
      super._destroy(error, done);
      return;
    }
    this.#timedOut.abort(new LoginFailure('timed-out', 'no connection within the time that the driver waits'));
    this.#login.then(
      () => super._destroy(null, done),
      (failure: Error) => super._destroy(failure, done),
    );
  }

  #open(opening: Buffer): void {
    const { iam, endpoint, driver, timedOutByDestroy, ...connectOptions } = this.#options;
    const options = {
      ...connectOptions,
      engine: postgres,
      signal: this.#closed.signal,
      discard: ({ socket }: Opened) => void socket.destroy(),
    };
    this.#isOpening = true;
    if (isCancelRequest(opening)) {
      // Not retried: later it could cancel another query of the same session. Nor does it fail: nobody would notice, and the
      // driver's rejected promise would end the process.
      iam
        .connect(endpoint, (login) => askToCancel(login, { ...driver, opening }), {
          ...options,
          stopRetrying: AbortSignal.abort(),
        })
        .then(
          (opened) => process.nextTick(() => this.#join(opened)),
          () => this.destroy(),
        );
    } else {
      this.#login = iam.connect(endpoint, (login) => logIn(this.#untilTimeout(login), { ...driver, opening }), {
        ...options,
        stopRetrying: this.#stopRetrying(options.stopRetrying),
      });
      this.#login.then(
        // Outside the promise, so that an exception in a user's callback is uncaught, as with a socket.
        (opened) => process.nextTick(() => this.#join(opened)),
        (error: Error) => this.destroy(error),
      );
    }
  }

  #untilTimeout(login: Login): Login {
    if (!this.#options.timedOutByDestroy) return login;
    return { ...login, signal: AbortSignal.any([login.signal, this.#timedOut.signal]) };
  }

  /** Not with `AbortSignal.any`, whose signals would live as long as the pool. */
  #stopRetrying(given: AbortSignal | undefined): AbortSignal {
    const stop = new AbortController();
    const abort = ({ target }: Pick<Event, 'target'>) => stop.abort((target as AbortSignal).reason);
    for (const signal of [given, this.#timedOut.signal]) {
      if (signal?.aborted) abort({ target: signal });
      signal?.addEventListener('abort', abort, { once: true });
    }
    this.once('close', () => given?.removeEventListener('abort', abort));
    return stop.signal;
  }

  #join({ socket, said }: Opened): void {
    this.follow(socket);
    if (this.destroyed) return;
    // Before the driver hears that it is logged in, because it may write right then.
    this.passWrites();
    socket.resume();
    this.push(said);
  }

  /** Also 'open' during the login: postgres.js ends only open sockets and would leave others alone. */
  override get readyState(): DialedStream['readyState'] {
    return this.connecting && !this.writableEnded ? 'open' : super.readyState;
  }
}

const isCancelRequest = (packet: Buffer): boolean =>
  packet.length >= 8 && packet.readUInt32BE(4) === RequestCode.cancel;
