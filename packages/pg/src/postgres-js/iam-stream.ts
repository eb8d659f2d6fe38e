import type { RdsIam } from '@rds-iam/core';
import { type ConnectOptions, DialedStream, type Endpoint, postgres } from '@rds-iam/core/adapter';
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
export class IamStream extends DialedStream {
  readonly #options: IamStreamOptions;
  readonly #closed = new AbortController();
  readonly #assembler = new MessageAssembler();
  #isOpening = false;

  constructor(options: IamStreamOptions) {
    super();
    this.#options = options;
  }

  protected override writeEarly(chunk: Buffer, done: (error?: Error | null) => void): void {
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

  protected override abandon(): void {
    this.#closed.abort();
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
          engine: postgres,
          signal,
        })
        .then(
          (opened) => this.#join(opened),
          (error: Error) => this.destroy(error),
        );
    }
  }

  #join({ socket, said }: Opened): void {
    this.follow(socket);
    if (this.destroyed) return;
    this.passWrites();
    // What the driver is told here it may answer at once.
    this.push(said);
    socket.resume();
  }

  /** Also while it opens: the driver ends what is open, and would leave the rest to itself. */
  override get readyState(): DialedStream['readyState'] {
    return this.connecting && !this.writableEnded ? 'open' : super.readyState;
  }
}
