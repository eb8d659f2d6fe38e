import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { ByteQueue, ConnectionEnded } from '@rds-iam/wire';

/** How much a client may send before it is read; after that, back-pressure stops it. */
const HIGH_WATER_BYTES = 65_536;

/**
 * A client's connection until it is joined to a server's: in clear at first, over TLS once it asks for that. Exact numbers of
 * bytes are read from it, and its end is noticed at once, even while nobody is reading.
 */
export class Client {
  /** The connection itself. */
  readonly raw: Socket;
  #stream: Socket;
  readonly #onLeft: () => void;
  readonly #queue = new ByteQueue();
  #serve = (): void => {};
  #hasLeft = false;

  /** @param onLeft - called if the client ends its side, or the connection closes, before it is joined */
  constructor(raw: Socket, onLeft: () => void = () => {}) {
    this.raw = raw;
    this.#stream = raw;
    this.#onLeft = onLeft;
    this.#listen();
  }

  /** What to write to: the TLS socket once there is one. */
  get stream(): Socket {
    return this.#stream;
  }

  get isEncrypted(): boolean {
    return this.#stream !== this.raw;
  }

  /** Whether it has ended its side; there may still be bytes to read. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** How many bytes have arrived and were not read. */
  get buffered(): number {
    return this.#queue.length;
  }

  /** @throws ConnectionEnded if it ends before it has sent that many bytes */
  read(size: number): Promise<Buffer> {
    return this.#want(size, () => this.#queue.take(size));
  }

  /** The next byte, without removing it. @throws ConnectionEnded if none comes */
  async peek(): Promise<number> {
    if (this.#queue.length === 0) await this.#want(1, () => Buffer.alloc(0));
    return this.#queue.peek(1)?.[0] as number;
  }

  /**
   * Continues over TLS; unread bytes are the beginning of the handshake.
   *
   * @param alpn - the protocol that a client may name
   * @throws ConnectionEnded if there is no handshake, or the client rejects the server
   */
  startTls(secureContext: SecureContext, alpn?: string): Promise<TLSSocket> {
    this.release();
    return new Promise((resolve, reject) => {
      const secure = new TLSSocket(this.raw, {
        isServer: true,
        secureContext,
        ...(alpn !== undefined && { ALPNProtocols: [alpn] }),
      });
      // A failed handshake shows as a close.
      secure.on('error', () => {});
      const gone = () => reject(new ConnectionEnded());
      secure.once('close', gone);
      // A client that does not trust the certificate leaves before the handshake is over.
      secure.once('end', gone);
      secure.once('secure', () => {
        secure.off('end', gone).off('close', gone);
        this.#stream = secure;
        this.#listen();
        resolve(secure);
      });
    });
  }

  /** Leaves the stream, paused, and its unread bytes to the next reader. */
  release(): void {
    const stream = this.#stream;
    stream.pause();
    stream.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onEnd);
    const rest = this.#queue.take(this.#queue.length);
    if (rest && rest.length > 0 && !stream.readableEnded) stream.unshift(rest);
  }

  /** Tells the client why, and closes the connection once the client has closed its side, too. */
  end(answer: Buffer): void {
    this.release();
    this.#stream.end(answer);
    // Closing with unread bytes would make the kernel send a reset, which can overtake the answer.
    this.#stream.resume();
  }

  #listen(): void {
    this.#stream.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onEnd);
  }

  #want(size: number, take: () => Buffer | undefined): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#serve = () => {
        const taken = this.#queue.length < size ? undefined : take();
        if (taken) resolve(taken);
        else if (this.#hasLeft) reject(new ConnectionEnded());
        else return void this.#stream.resume();
        this.#serve = () => {};
      };
      this.#serve();
    });
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#queue.add(chunk);
    this.#serve();
    if (this.#queue.length > HIGH_WATER_BYTES) this.#stream.pause();
  };

  readonly #onEnd = (): void => {
    this.#hasLeft = true;
    this.#serve();
    this.#onLeft();
  };
}
