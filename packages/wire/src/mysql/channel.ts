import type { Writable } from 'node:stream';
import { ProtocolError } from '../protocol-error.js';
import { checkedLength, encodePacket, HEADER_BYTES } from './packet.js';

/** Where packets come from and go to. */
export interface ChannelEnd {
  readonly stream: Writable;
  /** See `ByteReader`. */
  readonly reader: { read(size: number): Promise<Buffer> };
}

/** One side of a conversation in packets, each with the sequence number that is next. The end may change under it, to TLS. */
export class Channel {
  readonly #end: ChannelEnd;
  #sequence: number;

  /** @param sequence - the number of the next packet, in whichever direction */
  constructor(end: ChannelEnd, sequence = 0) {
    this.#end = end;
    this.#sequence = sequence;
  }

  /** Reads the payload of one packet, which may have `maxBytes`. @throws ProtocolError, ConnectionEnded */
  async read(maxBytes: number): Promise<Buffer> {
    const header = await this.#end.reader.read(HEADER_BYTES);
    if (header[3] !== this.#sequence) throw new ProtocolError('sequence', 'a packet out of order');
    this.#sequence = (this.#sequence + 1) & 0xff;
    const length = checkedLength(header, maxBytes);
    return length === 0 ? Buffer.alloc(0) : await this.#end.reader.read(length);
  }

  /** Sends a packet with the number that is next. */
  write(payload: Buffer): void {
    this.#end.stream.write(this.frame(payload));
  }

  /** A packet with the number that is next. */
  frame(payload: Buffer): Buffer {
    const packet = encodePacket(this.#sequence, payload);
    this.#sequence = (this.#sequence + 1) & 0xff;
    return packet;
  }
}
