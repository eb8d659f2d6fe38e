// Reads exact numbers of bytes from a socket, without ever holding more than it was asked for.
import type { Readable } from 'node:stream';

/** The other side went away in the middle of something. Nothing to answer, nobody to answer to. */
export class ConnectionEnded extends Error {
  override readonly name = 'ConnectionEnded';
}

/** What a stream holds, by number of bytes. The rest stays in the stream, whose own limit holds back the sender. */
export class ByteReader {
  readonly #stream: Readable;
  #pending: { size: number | undefined; resolve: (bytes: Buffer) => void; reject: (error: Error) => void } | undefined;

  constructor(stream: Readable) {
    this.#stream = stream;
    stream.on('readable', this.#serve).on('end', this.#fail).on('close', this.#fail);
  }

  /** Bytes that have come, and that nobody has read. */
  get buffered(): number {
    return this.#stream.readableLength;
  }

  /** Resolves to exactly `size` bytes, 1 or more. @throws ConnectionEnded */
  read(size: number): Promise<Buffer> {
    return this.#read(size);
  }

  /** Resolves to what has come, as soon as that is one byte or more. @throws ConnectionEnded */
  readSome(): Promise<Buffer> {
    return this.#read(undefined);
  }

  #read(size: number | undefined): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#pending = { size, resolve, reject };
      if (this.#stream.destroyed || this.#stream.readableEnded) this.#fail();
      else this.#serve();
    });
  }

  /** Leaves the stream, and what it still holds, to the next reader. */
  release(): void {
    this.#stream.off('readable', this.#serve).off('end', this.#fail).off('close', this.#fail);
  }

  readonly #serve = (): void => {
    if (!this.#pending) return;
    const { size, resolve } = this.#pending;
    const bytes = this.#stream.read(size) as Buffer | null;
    if (bytes === null) return;
    if (size !== undefined && bytes.length < size) {
      this.#fail(); // at its end a stream gives what is left, however little
    } else {
      this.#pending = undefined;
      resolve(bytes);
    }
  };

  readonly #fail = (): void => {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.reject(new ConnectionEnded());
  };
}
