import type { TLSSocket } from 'node:tls';
import type { RdsIam } from '@rds-iam/core';
import {
  assertVerifiedPeer,
  type ConnectOptions,
  type Endpoint,
  followSocket,
  type Login,
  mysql,
} from '@rds-iam/core/adapter';
import { type Driver, DriverSocket, type LoggedIn, logIn } from './login.js';
import { connectionLost, PacketAssembler } from './packets.js';

export interface IamStreamOptions extends ConnectOptions {
  readonly iam: RdsIam;
  readonly endpoint: Endpoint;
  readonly driver: Driver;
}

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
export class IamStream extends DriverSocket {
  readonly #options: IamStreamOptions;
  readonly #closed = new AbortController();
  readonly #answer = new PacketAssembler();
  #connection: LoggedIn | undefined;
  #identity = '';
  #isOpen = false;

  constructor(options: IamStreamOptions) {
    super({ allowHalfOpen: false });
    this.#options = options;
    const { iam, endpoint, driver, ...connectOptions } = options;
    iam
      .connect(endpoint, (login) => this.#logIn(login, driver), {
        ...connectOptions,
        engine: mysql,
        signal: this.#closed.signal,
      })
      .then(
        (connection) => this.#greet(connection),
        (error: Error) => this.destroy(error),
      );
  }

  /** The socket under it, once it has logged in. */
  get socket(): TLSSocket | undefined {
    return this.#connection?.socket;
  }

  /** A token for another user of the same server, as after `changeUser`; only for this very connection. */
  async tokenFor(username: string): Promise<string> {
    const { iam, endpoint } = this.#options;
    const { token } = await iam.getToken({ ...endpoint, username });
    assertVerifiedPeer(this.#connection?.socket ?? this, this.#identity, this.#connection?.resumed);
    return token;
  }

  async #logIn(login: Login, driver: Driver): Promise<LoggedIn> {
    this.#identity = login.identity;
    return logIn(login, driver);
  }

  #greet(connection: LoggedIn): void {
    const { socket } = connection;
    if (this.destroyed) {
      socket.destroy();
      return;
    }
    this.#connection = connection;
    followSocket(this, socket);
    socket.on('timeout', () => this.emit('timeout'));
    this.emit('connect');
    this.push(connection.greeting);
  }

  override _read(): void {
    if (this.#isOpen) this.#connection?.socket.resume();
  }

  /** Once open, straight to the socket: the queue of a second stream would cost each query a part of its time. */
  override write(chunk: Buffer, ...rest: unknown[]): boolean {
    const more = rest as [];
    const socket = this.#isOpen ? this.#connection?.socket : undefined;
    return socket ? socket.write(chunk, ...more) : super.write(chunk, ...more);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const connection = this.#connection;
    if (!connection) {
      done(connectionLost());
    } else if (this.#isOpen) {
      // A write that fails is an 'error' of the socket's.
      if (connection.socket.write(chunk)) done();
      else connection.socket.once('drain', done);
    } else {
      this.#answer.add(chunk);
      if (this.#answer.take()) {
        this.#isOpen = true;
        // Not within the driver's own write: it is still busy with the greeting.
        process.nextTick(() => this.push(connection.ok));
      }
      done();
    }
  }

  override _final(done: (error?: Error | null) => void): void {
    const socket = this.#connection?.socket;
    if (!socket) this.destroy();
    else if (socket.destroyed) done();
    else socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.#connection) this.#connection.socket.destroy();
    else this.#closed.abort();
    done(error);
  }

  // What drivers and their users ask of a socket.

  override setKeepAlive(...settings: Parameters<TLSSocket['setKeepAlive']>): this {
    this.socket?.setKeepAlive(...settings);
    return this;
  }

  override setNoDelay(...settings: Parameters<TLSSocket['setNoDelay']>): this {
    this.socket?.setNoDelay(...settings);
    return this;
  }

  override setTimeout(...settings: Parameters<TLSSocket['setTimeout']>): this {
    this.socket?.setTimeout(...settings);
    return this;
  }

  override address(): object {
    return this.socket?.address() ?? {};
  }

  ref(): this {
    this.socket?.ref();
    return this;
  }

  unref(): this {
    this.socket?.unref();
    return this;
  }

  get encrypted(): boolean {
    return this.socket?.encrypted ?? false;
  }

  get authorized(): boolean {
    return this.socket?.authorized ?? false;
  }

  get remoteAddress(): string | undefined {
    return this.socket?.remoteAddress;
  }
}
