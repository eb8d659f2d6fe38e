import type { Readable } from 'node:stream';
import { ConnectionEnded } from './protocol-error.js';

/**
 * Reads a given number of bytes from a stream, and never takes more than that: the rest stays in the stream, whose own limit
 * slows down the sender.
 */
export class ByteReader {
  readonly #stream: Readable;
  #pending: { size: number | undefined; resolve: (bytes: Buffer) => void; reject: (error: Error) => void } | undefined;

  constructor(stream: Readable) {
    this.#stream = stream;
    stream.on('readable', this.#serve).on('end', this.#fail).on('close', this.#fail);
  }

  /** How many bytes have arrived and were not read. */
  get buffered(): number {
    return this.#stream.readableLength;
  }

  /** Resolves to exactly `size` bytes, 1 or more. @throws ConnectionEnded */
  read(size: number): Promise<Buffer> {
    return this.#read(size);
  }

  /** Resolves to whatever has arrived, once that is a byte or more. @throws ConnectionEnded */
  readSome(): Promise<Buffer> {
    return this.#read(undefined);
  }

  /** Leaves the stream and its unread bytes to the next reader. */
  release(): void {
    this.#stream.off('readable', this.#serve).off('end', this.#fail).off('close', this.#fail);
  }

  #read(size: number | undefined): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#pending = { size, resolve, reject };
      if (this.#stream.destroyed || this.#stream.readableEnded) this.#fail();
      else this.#serve();
    });
  }

  readonly #serve = (): void => {
    if (!this.#pending) return;
    const { size, resolve } = this.#pending;
    const bytes = this.#stream.read(size) as Buffer | null;
    if (bytes === null) return;
    if (size !== undefined && bytes.length < size) {
      this.#fail(); // at its end, a stream returns whatever is left
    } else {
      this.#pending = undefined;
      resolve(bytes);
    }
  };

  readonly #fail = (): void => {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.reject(new ConnectionEnded(this.#stream.errored ?? undefined));
  };
}
