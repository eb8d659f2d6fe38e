// One side of a login as packets, each with the number that is next.
import type { Socket } from 'node:net';
import type { ByteReader } from '../bytes.js';
import { encodePacket } from './protocol.js';
import { outOfOrder, packetTooLarge } from './refusals.js';

/** Where packets come from and go to. What they go over may change, to TLS. */
export interface End {
  readonly stream: Socket;
  readonly reader: ByteReader;
}

export class Channel {
  readonly #end: End;
  #sequence: number;

  /** `sequence` is the number of the next packet, in whichever direction. */
  constructor(end: End, sequence = 0) {
    this.#end = end;
    this.#sequence = sequence;
  }

  /** Reads one packet, and refuses a payload above `maxBytes` before any of it is stored. @throws Refusal, ConnectionEnded */
  async read(maxBytes: number): Promise<Buffer> {
    const header = await this.#end.reader.read(4);
    if (header[3] !== this.#sequence) throw outOfOrder();
    this.#sequence = (this.#sequence + 1) & 0xff;
    const length = header.readUIntLE(0, 3);
    if (length > maxBytes) throw packetTooLarge();
    return length === 0 ? Buffer.alloc(0) : await this.#end.reader.read(length);
  }

  write(payload: Buffer): void {
    this.#end.stream.write(this.frame(payload));
  }

  /** A packet with the next number. */
  frame(payload: Buffer): Buffer {
    const packet = encodePacket(this.#sequence, payload);
    this.#sequence = (this.#sequence + 1) & 0xff;
    return packet;
  }
}
