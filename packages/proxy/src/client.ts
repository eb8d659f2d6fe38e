import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';

/** The client is gone: nothing to answer, nobody to answer to. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/** What a client may send before anybody wants it: one that sends more is held back until it is read. */
const HIGH_WATER_BYTES = 65_536;

/**
 * A client's connection until it is joined to a server's: in clear at first, under TLS once it asks for that. Its bytes are
 * read in exact numbers; that it ends is heard at once, also while nobody reads.
 */
export class Client {
  /** The connection itself. */
  readonly raw: Socket;
  #stream: Socket;
  #chunks: Buffer[] = [];
  #buffered = 0;
  #wanted: { readonly size: number; resolve(bytes: Buffer): void; reject(error: Error): void } | undefined;
  #gone = false;

  constructor(raw: Socket) {
    this.raw = raw;
    this.#stream = raw;
    this.#listen();
  }

  /** What to write to: the TLS socket once there is one. */
  get stream(): Socket {
    return this.#stream;
  }

  get isEncrypted(): boolean {
    return this.#stream !== this.raw;
  }

  /** Bytes that have come and that nobody has read. */
  get buffered(): number {
    return this.#buffered;
  }

  /** @throws ClientGone if it ends before it has sent so many bytes */
  read(size: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#wanted = { size, resolve, reject };
      this.#serve();
    });
  }

  /** Puts back what was read and is another's to read. */
  unread(bytes: Buffer): void {
    this.#chunks.unshift(bytes);
    this.#buffered += bytes.length;
  }

  /**
   * Goes on under TLS, with what has not been read yet as the beginning of the handshake.
   *
   * @param alpn - the protocol that a client may name
   * @throws ClientGone if there is no handshake, or the client does not like what it sees
   */
  startTls(secureContext: SecureContext, alpn?: string): Promise<TLSSocket> {
    this.release();
    return new Promise((resolve, reject) => {
      const secure = new TLSSocket(this.raw, {
        isServer: true,
        secureContext,
        ...(alpn !== undefined && { ALPNProtocols: [alpn] }),
      });
      // A handshake that fails shows as a close.
      secure.on('error', () => {});
      const gone = () => reject(new ClientGone());
      secure.once('close', gone);
      // Who does not trust the certificate leaves before the handshake is over.
      secure.once('end', gone);
      secure.once('secure', () => {
        secure.off('end', gone).off('close', gone);
        this.#stream = secure;
        this.#listen();
        resolve(secure);
      });
    });
  }

  /** Leaves the stream, paused, and what was not read yet to the next reader. */
  release(): void {
    const stream = this.#stream;
    stream.pause();
    stream.off('data', this.#onData).off('end', this.#onGone).off('close', this.#onGone);
    if (this.#buffered > 0 && !stream.readableEnded) stream.unshift(Buffer.concat(this.#chunks));
    this.#chunks = [];
    this.#buffered = 0;
  }

  /** Tells it why, and closes the connection once it has closed its side, too. */
  end(answer: Buffer): void {
    this.release();
    this.#stream.end(answer);
    // Closing with bytes unread would have the kernel send a reset, which can overtake the answer.
    this.#stream.resume();
  }

  #listen(): void {
    this.#stream.on('data', this.#onData).on('end', this.#onGone).on('close', this.#onGone);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    this.#serve();
    if (this.#buffered > HIGH_WATER_BYTES) this.#stream.pause();
  };

  readonly #onGone = (): void => {
    this.#gone = true;
    this.#serve();
  };

  #serve(): void {
    const wanted = this.#wanted;
    if (!wanted) return;
    if (this.#buffered >= wanted.size) {
      this.#wanted = undefined;
      const bytes = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
      const rest = bytes.subarray(wanted.size);
      this.#chunks = rest.length > 0 ? [rest] : [];
      this.#buffered = rest.length;
      wanted.resolve(bytes.subarray(0, wanted.size));
    } else if (this.#gone) {
      this.#wanted = undefined;
      wanted.reject(new ClientGone());
    } else {
      this.#stream.resume();
    }
  }
}
