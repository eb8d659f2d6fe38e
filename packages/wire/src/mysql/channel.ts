import type { Writable } from 'node:stream';
import { ProtocolError } from '../protocol-error.js';
import { checkedLength, encodePacket, HEADER_BYTES } from './packet.js';

/** The two ends of a channel: where packets come from and go to. */
export interface ChannelEnd {
  readonly stream: Writable;
  /** See `ByteReader`. */
  readonly reader: { read(size: number): Promise<Buffer> };
}

/** One side of a packet exchange, which keeps the sequence number. The underlying stream may change, to TLS. */
export class Channel {
  readonly #end: ChannelEnd;
  #sequence: number;

  /** @param sequence - the number of the next packet, in either direction */
  constructor(end: ChannelEnd, sequence = 0) {
    this.#end = end;
    this.#sequence = sequence;
  }

  /** Reads the payload of one packet, at most `maxBytes`. @throws ProtocolError, ConnectionEnded */
  async read(maxBytes: number): Promise<Buffer> {
    const header = await this.#end.reader.read(HEADER_BYTES);
    if (header[3] !== this.#sequence) throw new ProtocolError('sequence', 'a packet out of order');
    this.#sequence = (this.#sequence + 1) & 0xff;
    const length = checkedLength(header, maxBytes);
    return length === 0 ? Buffer.alloc(0) : await this.#end.reader.read(length);
  }

  /** Sends a packet with the next sequence number. */
  write(payload: Buffer): void {
    this.#end.stream.write(this.frame(payload));
  }

  /** Encodes a packet with the next sequence number. */
  frame(payload: Buffer): Buffer {
    const packet = encodePacket(this.#sequence, payload);
    this.#sequence = (this.#sequence + 1) & 0xff;
    return packet;
  }
}
