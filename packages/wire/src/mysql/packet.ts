// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
import { ByteQueue } from '../byte-queue.js';
import { ProtocolError } from '../protocol-error.js';

/** A packet: three bytes of length, a sequence number, and the payload. */
export interface Packet {
  /** Counts up from 0 for each command, and starts at 0 again after 255. */
  readonly sequence: number;
  readonly payload: Buffer;
}

/** The length of a packet's header. */
export const HEADER_BYTES = 4;
/** A payload of this length continues in the next packet. */
export const MAX_PAYLOAD_BYTES = 0xffffff;

/** Encodes a packet. */
export function encodePacket(sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUIntLE(payload.length, 0, 3);
  header[3] = sequence & 0xff;
  return Buffer.concat([header, payload]);
}

/** Assembles packets from the chunks in which they arrive. */
export class PacketAssembler {
  readonly #queue = new ByteQueue();
  readonly #maxBytes: number;

  /** @param maxBytes - the longest payload that a packet may have */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** How many bytes have arrived and were not taken. */
  get buffered(): number {
    return this.#queue.length;
  }

  /** Adds a chunk that has arrived. */
  add(piece: Buffer): void {
    this.#queue.add(piece);
  }

  /** The next packet, once it is complete. @throws ProtocolError */
  take(): Packet | undefined {
    const header = this.#queue.peek(HEADER_BYTES);
    if (!header) return undefined;
    const bytes = this.#queue.take(HEADER_BYTES + checkedLength(header, this.#maxBytes));
    return bytes && { sequence: bytes.readUInt8(3), payload: bytes.subarray(HEADER_BYTES) };
  }

  /** Everything that has arrived and was not taken. */
  takeRest(): Buffer {
    return this.#queue.take(this.#queue.length) ?? Buffer.alloc(0);
  }
}

/** The length that a header declares. @throws ProtocolError */
export function checkedLength(header: Buffer, maxBytes: number): number {
  const length = header.readUIntLE(0, 3);
  if (length > maxBytes) throw new ProtocolError('length', `a packet of ${length} bytes`);
  return length;
}
