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

/** More than any answer to a greeting needs. */
const MAX_ANSWER_BYTES = 131_072;

/**
 * The stream that a driver's connection runs over: the one hook of this package. Behind it, `iam.connect` dials and logs
 * in, several times if need be, before the driver hears anything. Then the server's greeting and its OK are replayed to the
 * driver, whose answer in between is dropped, and from there on every byte passes through.
 *
 * A driver only needs its public `stream` option, and has to answer a greeting and accept an OK as a login. mysql2's pools,
 * its order of events, and how its versions treat TLS options do not matter. A connection keeps its slot in the pool for all
 * attempts and fails once, with our error; the token is never a property of anything and passes one gate only. (Retrying
 * above the driver, in a pool's `getConnection`, would have to be written separately for pools, clusters and connections, and
 * mysql2's own login takes the token from its configuration.)
 */
export class IamStream extends DialedStream {
  readonly #options: IamStreamOptions;
  readonly #closed = new AbortController();
  readonly #answer = new PacketAssembler(MAX_ANSWER_BYTES);
  #connection: LoggedIn | undefined;
  #identity = '';
  #isOpen = false;
  /** Resolves when the login has succeeded or failed. */
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

  /** A token for another user of the same server, as for `changeUser`; only to be used on this connection. */
  async tokenFor(username: string): Promise<string> {
    const { iam, endpoint } = this.#options;
    const { token } = await iam.getToken({ ...endpoint, username });
    assertVerifiedPeer(this.socket as TLSSocket, this.#identity, this.#connection?.resumed);
    return token;
  }

  /** Replaces a token that the server refused, starting now. */
  dropTokenOf(username: string): void {
    const { iam, endpoint } = this.#options;
    iam.getToken({ ...endpoint, username }, { forceRefresh: true }).catch(() => {});
  }

  /** Emits the error before returning, whereas `destroy` would do so in a later turn of the event loop. */
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

  /** Reads nothing before the OK has been replayed: what the server sends next comes after it. */
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
      // Not during the driver's own write, when it is still busy with the greeting.
      process.nextTick(() => this.push(encodePacket(2, ok)));
    }
    done();
  }

  /** If it is ended before the login, the driver needs an error to fail its queued commands with. */
  override _final(done: (error?: Error | null) => void): void {
    if (this.connecting) done(new LoginFailure('connection-lost', 'the connection was ended before it had logged in'));
    else super._final(done);
  }

  protected override abandon(): void {
    this.#closed.abort();
  }
}
