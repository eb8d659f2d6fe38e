import type { TLSSocket } from 'node:tls';
import type { RdsIam } from '@rds-iam/core';
import {
  assertVerifiedPeer,
  type ConnectOptions,
  DialedStream,
  type Endpoint,
  LoginFailure,
  mysql,
} from '@rds-iam/core/adapter';
import { encodeGreeting, encodePacket, PacketAssembler } from '@rds-iam/wire/mysql';
import { type Driver, type LoggedIn, logIn } from './server-login.js';

export interface IamStreamOptions extends ConnectOptions {
  readonly iam: RdsIam;
  readonly endpoint: Endpoint;
  readonly driver: Driver;
}

/** More than any answer to a greeting has. */
const MAX_ANSWER_BYTES = 131_072;

/**
 * The stream that a driver's connection runs over: the one hook of this package. Behind it, `iam.connect` dials and logs
 * in, several times if need be, before the driver hears of anything; then the server's greeting and its welcome are
 * repeated to the driver, whose answer in between goes nowhere, and from there on every byte passes through.
 *
 * So all that is asked of a driver is its public `stream` option, and that it answers a greeting and takes an OK for a
 * login: nothing of mysql2's pools, of its order of events, or of what its versions make of TLS options matters. A
 * connection keeps its place in the pool for all attempts and fails once, with our error; the token is never a property of
 * anything and passes one gate only. (A retry above the driver, at a pool's `getConnection`, would have to be written for
 * pools, clusters and connections each, and mysql2's own login takes the token from its configuration.)
 */
export class IamStream extends DialedStream {
  readonly #options: IamStreamOptions;
  readonly #closed = new AbortController();
  readonly #answer = new PacketAssembler(MAX_ANSWER_BYTES);
  #connection: LoggedIn | undefined;
  #identity = '';
  #isOpen = false;
  /** Resolves when there is nothing left to wait for: logged in, or failed. */
  readonly settled: Promise<void>;

  constructor(options: IamStreamOptions) {
    super();
    this.#options = options;
    const { iam, endpoint, driver, signal, ...connectOptions } = options;
    const closed = this.#closed;
    const close = () => closed.abort(signal?.reason);
    if (signal?.aborted) close();
    else signal?.addEventListener('abort', close, { once: true });
    this.settled = iam
      .connect(
        endpoint,
        (login) => {
          this.#identity = login.identity;
          return logIn(login, driver);
        },
        { ...connectOptions, engine: mysql, signal: closed.signal },
      )
      .finally(() => signal?.removeEventListener('abort', close))
      .then(
        (connection) => this.#greet(connection),
        (error: Error) => void this.destroy(error),
      );
  }

  /** A token for another user of the same server, as after `changeUser`; only for this very connection. */
  async tokenFor(username: string): Promise<string> {
    const { iam, endpoint } = this.#options;
    const { token } = await iam.getToken({ ...endpoint, username });
    assertVerifiedPeer(this.socket as TLSSocket, this.#identity, this.#connection?.resumed);
    return token;
  }

  /** A token that the server refused is not used again: the next one is asked for now. */
  dropTokenOf(username: string): void {
    const { iam, endpoint } = this.#options;
    iam.getToken({ ...endpoint, username }, { forceRefresh: true }).catch(() => {});
  }

  /** Fails before it returns, where `destroy` would tell of the error in a later turn of the event loop. */
  failAtOnce(error: Error): void {
    this.emit('error', error);
    this.destroy();
  }

  #greet(connection: LoggedIn): void {
    this.#connection = connection;
    connection.socket.pause();
    this.follow(connection.socket);
    if (this.destroyed) return;
    this.emit('connect');
    this.push(encodePacket(0, encodeGreeting(connection.greeting)));
  }

  /** Not before the welcome: what the server says next belongs behind it. */
  override _read(): void {
    if (this.#isOpen) super._read();
  }

  protected override writeEarly(chunk: Buffer, done: (error?: Error | null) => void): void {
    const { ok } = this.#connection ?? {};
    if (!ok) {
      done(new LoginFailure('connection-lost'));
      return;
    }
    this.#answer.add(chunk);
    if (this.#answer.take()) {
      this.#isOpen = true;
      this.passWrites();
      // Not within the driver's own write: it is still busy with the greeting.
      process.nextTick(() => this.push(encodePacket(2, ok)));
    }
    done();
  }

  /** Ended before it has logged in: the driver has to hear of it, to answer what it has queued. */
  override _final(done: (error?: Error | null) => void): void {
    if (this.connecting) done(new LoginFailure('connection-lost', 'the connection was ended before it had logged in'));
    else super._final(done);
  }

  protected override abandon(): void {
    this.#closed.abort();
  }
}
