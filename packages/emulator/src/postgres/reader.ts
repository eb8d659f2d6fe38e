// Reads PostgreSQL's messages from a socket.
import type { ByteReader } from '../bytes.js';
import { type FirstPacket, firstPacketBodyLength, parseFirstPacket } from './protocol.js';
import { badFraming } from './refusals.js';

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
