// Takes the parts of a packet one after another, and refuses one that is shorter than it says.
import { badHandshake } from './refusals.js';

export class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Where it stands, in bytes from the beginning. */
  get at(): number {
    return this.#at;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** @throws Refusal */
  bytes(count: number): Buffer {
    if (count > this.left) throw badHandshake();
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  uint8(): number {
    return this.bytes(1).readUInt8();
  }

  uint32(): number {
    return this.bytes(4).readUInt32LE();
  }

  /** A string that ends with a zero, without the zero. */
  untilZero(): Buffer {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end === -1) throw badHandshake();
    const text = this.bytes(end - this.#at);
    this.#at += 1;
    return text;
  }

  /** A length-encoded integer; no part of a packet here is longer than 32 bits can say. */
  lengthEncoded(): number {
    const first = this.uint8();
    if (first < 0xfb) return first;
    if (first === 0xfc) return this.bytes(2).readUInt16LE();
    if (first === 0xfd) return this.bytes(3).readUIntLE(0, 3);
    throw badHandshake();
  }

  rest(): Buffer {
    return this.bytes(this.left);
  }
}

/** A length-encoded integer below 2^24. */
export function encodeLength(length: number): Buffer {
  if (length < 0xfb) return Buffer.from([length]);
  if (length <= 0xffff) return Buffer.from([0xfc, length & 0xff, length >> 8]);
  return Buffer.from([0xfd, length & 0xff, (length >> 8) & 0xff, length >> 16]);
}
