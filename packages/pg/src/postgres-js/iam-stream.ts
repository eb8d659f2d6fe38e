import { Duplex } from 'node:stream';
import { type ConnectOptions, type Endpoint, followSocket, type RdsIam } from '@rds-iam/core';
import { askToCancel, type Driver, logIn, type Opened } from './login.js';
import { isCancelRequest, MessageAssembler } from './messages.js';

export interface IamStreamOptions extends ConnectOptions {
  readonly iam: RdsIam;
  readonly endpoint: Endpoint;
  readonly driver: Omit<Driver, 'opening'>;
}

/**
 * The stream that a connection of postgres.js runs over: the one hook of this module. Behind it, `iam.connect` dials and
 * logs in with the driver's own startup message, several times if need be, before the driver hears of anything; then what
 * the server said is repeated to the driver, and from there on every byte passes through.
 *
 * It fails as a socket does, with 'error' and then 'close': the driver rejects the query and takes the connection back. (A
 * promise for a socket that rejects, and likewise a function for its password, loses the connection or ends the process.)
 */
export class IamStream extends Duplex {
  readonly #options: IamStreamOptions;
  readonly #closed = new AbortController();
  readonly #assembler = new MessageAssembler();
  #isOpening = false;
  #opened: Opened | undefined;

  constructor(options: IamStreamOptions) {
    super({ allowHalfOpen: false, emitClose: false });
    this.#options = options;
  }

  #open(opening: Buffer): void {
    const { iam, endpoint, driver, ...connectOptions } = this.#options;
    this.#isOpening = true;
    const signal = this.#closed.signal;
    if (isCancelRequest(opening)) {
      // Not tried again: later it could hit another query of the same session. Nor does it fail: nobody would hear of it,
      // and the driver's promise for it would end the process.
      const once = { ...connectOptions, signal, stopRetrying: AbortSignal.abort() };
      iam
        .connect(endpoint, (login) => askToCancel(login, { ...driver, opening }), once)
        .then(
          (opened) => this.#join(opened),
          () => this.destroy(),
        );
    } else {
      iam
        .connect(endpoint, (login) => logIn(login, { ...driver, opening }), {
          ...connectOptions,
          engine: 'postgres',
          signal,
        })
        .then(
          (opened) => this.#join(opened),
          (error: Error) => this.destroy(error),
        );
    }
  }

  #join(opened: Opened): void {
    const { socket, said } = opened;
    if (this.destroyed) {
      socket.destroy();
      return;
    }
    this.#opened = opened;
    this.push(said);
    followSocket(this, socket);
    socket.resume();
  }

  override _read(): void {
    this.#opened?.socket.resume();
  }

  /** Once open, straight to the socket: the queue of a second stream would cost each query a part of its time. */
  override write(chunk: Buffer, ...rest: unknown[]): boolean {
    const more = rest as [];
    return this.#opened ? this.#opened.socket.write(chunk, ...more) : super.write(chunk, ...more);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#opened) {
      // A write that fails is an 'error' of the socket's.
      this.#opened.socket.write(chunk);
      done();
      return;
    }
    try {
      // Once it opens, all that a driver can have to say is that it gives up.
      if (!this.#isOpening) {
        this.#assembler.add(chunk);
        const opening = this.#assembler.takeOpening();
        if (opening) this.#open(opening);
      }
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  override _final(done: (error?: Error | null) => void): void {
    const socket = this.#opened?.socket;
    // What is still to come must be read for the end to be seen; nobody else asks for it any more.
    this.resume();
    if (!socket) this.destroy();
    else if (socket.destroyed) done();
    else socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.#opened) this.#opened.socket.destroy();
    else this.#closed.abort();
    done(error);
    // As sockets do, and streams do not, with whether it failed: the driver then waits before it connects again.
    process.nextTick(() => this.emit('close', error !== null));
  }

  /** What the driver asks of a socket that it wants to end. */
  get readyState(): 'open' | 'readOnly' | 'closed' {
    if (this.destroyed) return 'closed';
    return this.writableEnded ? 'readOnly' : 'open';
  }
}
