// Reads exact numbers of bytes from a socket, and messages made of them, without ever holding more than it was asked for.
import type { Readable } from 'node:stream';
import { type FirstPacket, firstPacketBodyLength, parseFirstPacket } from './protocol.js';
import { badFraming } from './refusals.js';

/** The other side went away in the middle of something. Nothing to answer, nobody to answer to. */
export class ConnectionEnded extends Error {
  override readonly name = 'ConnectionEnded';
}

/** What a stream holds, by number of bytes. The rest stays in the stream, whose own limit holds back the sender. */
export class ByteReader {
  readonly #stream: Readable;
  #pending: { size: number; resolve: (bytes: Buffer) => void; reject: (error: Error) => void } | undefined;

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
    if (bytes.length < size) {
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

export interface Message {
  readonly type: string;
  readonly body: Buffer;
  /** The whole message as it came. */
  readonly bytes: Buffer;
}

/** Reads a packet without a type, whose first byte may have been read already. */
export async function readFirstPacket(reader: ByteReader, firstByte?: Buffer): Promise<FirstPacket> {
  const length = firstByte ? Buffer.concat([firstByte, await reader.read(3)]) : await reader.read(4);
  return parseFirstPacket(await reader.read(firstPacketBodyLength(length.readUInt32BE(0))));
}

/** Reads a message with a type, and refuses a body above `maxBytes` before any of it is stored. */
export async function readMessage(reader: ByteReader, maxBytes: number): Promise<Message> {
  const header = await reader.read(5);
  const bodyBytes = header.readUInt32BE(1) - 4;
  if (bodyBytes < 0 || bodyBytes > maxBytes) throw badFraming();
  const body = bodyBytes === 0 ? Buffer.alloc(0) : await reader.read(bodyBytes);
  return { type: header.toString('latin1', 0, 1), body, bytes: Buffer.concat([header, body]) };
}
