// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_data_types.html
import { ProtocolError } from '../protocol-error.js';

/** Reads the fields of a packet one after another, and refuses a packet that ends too early. */
export class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** How many bytes are left. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** @throws ProtocolError */
  bytes(count: number): Buffer {
    if (count > this.left) throw new ProtocolError('layout', 'a packet that ends before its fields do');
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  uint8(): number {
    return this.bytes(1).readUInt8();
  }

  uint16(): number {
    return this.bytes(2).readUInt16LE();
  }

  uint32(): number {
    return this.bytes(4).readUInt32LE();
  }

  /** A null-terminated string, without the terminator. */
  untilZero(): Buffer {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end === -1) throw new ProtocolError('layout', 'a string without the zero at its end');
    const text = this.bytes(end - this.#at);
    this.#at += 1;
    return text;
  }

  /** A length-encoded integer below 2^24, more than the length of any field here. */
  lengthEncoded(): number {
    const first = this.uint8();
    if (first < 0xfb) return first;
    if (first === 0xfc) return this.uint16();
    if (first === 0xfd) return this.bytes(3).readUIntLE(0, 3);
    throw new ProtocolError('layout', 'a field that is longer than its packet can be');
  }

  /** All remaining bytes. */
  rest(): Buffer {
    return this.bytes(this.left);
  }
}

/** A length-encoded integer below 2^24. */
export function lengthEncoded(length: number): Buffer {
  if (length < 0xfb) return Buffer.from([length]);
  if (length <= 0xffff) return Buffer.from([0xfc, length & 0xff, length >> 8]);
  return Buffer.from([0xfd, length & 0xff, (length >> 8) & 0xff, length >> 16]);
}

/** A null-terminated string. */
export const nulTerminated = (text: string | Buffer): Buffer => Buffer.concat([Buffer.from(text), Buffer.alloc(1)]);

export function uint16(value: number): Buffer {
  return Buffer.from([value & 0xff, (value >>> 8) & 0xff]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}
