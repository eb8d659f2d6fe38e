// Messages: https://www.postgresql.org/docs/current/protocol-overview.html#PROTOCOL-MESSAGE-CONCEPTS
import { ByteQueue } from '../byte-queue.js';
import type { ByteReader } from '../byte-reader.js';
import { ProtocolError } from '../protocol-error.js';

/** A message: one byte of type, four of length (including themselves), and the body. */
export interface Message {
  readonly type: string;
  readonly body: Buffer;
  /** The whole message as received. */
  readonly bytes: Buffer;
}

/** The types of the messages of a login, by their first byte. */
export const MessageType = {
  authentication: 'R',
  password: 'p',
  error: 'E',
  notice: 'N',
  readyForQuery: 'Z',
  parameterStatus: 'S',
  backendKeyData: 'K',
  negotiateProtocolVersion: 'v',
} as const;

const HEADER_BYTES = 5;
const LENGTH_BYTES = 4;

/** Encodes a message. */
export function encodeMessage(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type, 'latin1'), withLength(body)]);
}

/** Puts the length, but no type, before a body, as in the first packets of a connection. */
export function withLength(body: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(body.length + LENGTH_BYTES);
  return Buffer.concat([length, body]);
}

/** Reads one message. A body over `maxBodyBytes` is refused before any of it is stored. @throws ProtocolError, ConnectionEnded */
export async function readMessage(reader: ByteReader, maxBodyBytes: number): Promise<Message> {
  const header = await reader.read(HEADER_BYTES);
  const bodyBytes = bodyBytesOf(header, maxBodyBytes);
  const body = bodyBytes === 0 ? Buffer.alloc(0) : await reader.read(bodyBytes);
  return messageOf(Buffer.concat([header, body]));
}

/** Assembles messages from the chunks in which they arrive. */
export class MessageAssembler {
  readonly #queue = new ByteQueue();
  readonly #maxBodyBytes: number;

  /** @param maxBodyBytes - the longest body that a message may have */
  constructor(maxBodyBytes: number) {
    this.#maxBodyBytes = maxBodyBytes;
  }

  /** How many bytes have arrived and were not taken. */
  get buffered(): number {
    return this.#queue.length;
  }

  /** Adds a chunk that has arrived. */
  add(piece: Buffer): void {
    this.#queue.add(piece);
  }

  /** The next message, once it is complete. @throws ProtocolError */
  take(): Message | undefined {
    const header = this.#queue.peek(HEADER_BYTES);
    if (!header) return undefined;
    const bytes = this.#queue.take(HEADER_BYTES + bodyBytesOf(header, this.#maxBodyBytes));
    return bytes && messageOf(bytes);
  }

  /** A client's first packet, which has a length but no type, once it is complete. @throws ProtocolError */
  takeFirstPacket(): Buffer | undefined {
    const length = this.#queue.peek(LENGTH_BYTES);
    if (!length) return undefined;
    return this.#queue.take(LENGTH_BYTES + checkedBodyBytes(length.readUInt32BE(0), this.#maxBodyBytes));
  }

  /** Everything that has arrived and was not taken. */
  takeRest(): Buffer {
    return this.#queue.take(this.#queue.length) ?? Buffer.alloc(0);
  }
}

const messageOf = (bytes: Buffer): Message => ({
  type: bytes.toString('latin1', 0, 1),
  body: bytes.subarray(HEADER_BYTES),
  bytes,
});

const bodyBytesOf = (header: Buffer, max: number): number => checkedBodyBytes(header.readUInt32BE(1), max);

function checkedBodyBytes(length: number, max: number): number {
  const bytes = length - LENGTH_BYTES;
  if (bytes < 0 || bytes > max) throw new ProtocolError('length', `a message of ${length} bytes`);
  return bytes;
}
