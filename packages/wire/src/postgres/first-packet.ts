// The packets that can open a connection, which have a length but no type:
// https://www.postgresql.org/docs/current/protocol-message-formats.html (StartupMessage, SSLRequest, GSSENCRequest, CancelRequest)
import { isUtf8 } from 'node:buffer';
import type { ByteReader } from '../byte-reader.js';
import { ProtocolError } from '../protocol-error.js';
import { withLength } from './message.js';

/** PostgreSQL's MAX_STARTUP_PACKET_LENGTH, which does not count the four bytes of the length. */
export const MAX_STARTUP_BYTES = 10_000;
/** The first byte of a TLS handshake; the length of a first packet cannot begin with it. */
export const TLS_HANDSHAKE = 0x16;

/** The codes in the place of a StartupMessage's protocol version. */
export const RequestCode = {
  cancel: (1234 << 16) | 5678,
  ssl: (1234 << 16) | 5679,
  gssenc: (1234 << 16) | 5680,
} as const;

const MAX_CANCEL_KEY_BYTES = 256;
const MIN_BODY_BYTES = 4;
const MAJOR_VERSION = 3;

/** How a connection opens. */
export type FirstPacket =
  | { readonly kind: 'ssl' | 'gssenc' }
  | { readonly kind: 'cancel'; readonly processId: number; readonly key: Buffer }
  | { readonly kind: 'startup'; readonly startup: Startup }
  /** A StartupMessage of another major version, with an unknown layout. */
  | { readonly kind: 'unsupported'; readonly version: number };

/** A StartupMessage. */
export interface Startup {
  /** Major version in the high 16 bits, minor in the low ones. */
  readonly version: number;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Reads a first packet, whose first byte may have been read already. @throws ProtocolError, ConnectionEnded */
export async function readFirstPacket(reader: ByteReader, firstByte?: Buffer): Promise<FirstPacket> {
  const length = firstByte ? Buffer.concat([firstByte, await reader.read(3)]) : await reader.read(4);
  const bytes = length.readUInt32BE(0) - length.length;
  if (bytes < MIN_BODY_BYTES || bytes > MAX_STARTUP_BYTES) throw badLength();
  return decodeFirstPacket(await reader.read(bytes));
}

/** Decodes everything after the length of a first packet. @throws ProtocolError */
export function decodeFirstPacket(body: Buffer): FirstPacket {
  if (body.length < MIN_BODY_BYTES) throw badLength();
  const code = body.readUInt32BE(0);
  switch (code) {
    case RequestCode.cancel: {
      // A process id and a key, which has four bytes before PostgreSQL 18.
      const keyBytes = body.length - 8;
      if (keyBytes < 1 || keyBytes > MAX_CANCEL_KEY_BYTES) throw badLength();
      return { kind: 'cancel', processId: body.readUInt32BE(4), key: body.subarray(8) };
    }
    case RequestCode.ssl:
    case RequestCode.gssenc:
      if (body.length !== 4) throw badLength();
      return { kind: code === RequestCode.ssl ? 'ssl' : 'gssenc' };
    default:
      if (code >>> 16 !== MAJOR_VERSION) return { kind: 'unsupported', version: code };
      return { kind: 'startup', startup: decodeStartup(code, body.subarray(4)) };
  }
}

/** Encodes a first packet. */
export function encodeFirstPacket(packet: FirstPacket): Buffer {
  switch (packet.kind) {
    case 'ssl':
    case 'gssenc':
      return withLength(uint32(RequestCode[packet.kind]));
    case 'cancel':
      return withLength(Buffer.concat([uint32(RequestCode.cancel), uint32(packet.processId), packet.key]));
    case 'unsupported':
      return withLength(uint32(packet.version));
    case 'startup': {
      const { version, parameters } = packet.startup;
      const pairs = [...parameters].map(([name, value]) => `${name}\0${value}\0`).join('');
      return withLength(Buffer.concat([uint32(version), Buffer.from(`${pairs}\0`)]));
    }
  }
}

function decodeStartup(version: number, body: Buffer): Startup {
  const badLayout = () => new ProtocolError('layout', 'a startup packet that does not end with its terminator');
  const parameters = new Map<string, string>();
  let at = 0;
  const next = (): string => {
    const end = body.indexOf(0, at);
    if (end === -1) throw badLayout();
    const bytes = body.subarray(at, end);
    // Different names that decode to the same replacement characters must not be mistaken for each other.
    if (!isUtf8(bytes)) throw new ProtocolError('encoding', 'a startup packet that is not UTF-8');
    at = end + 1;
    return bytes.toString('utf8');
  };
  // As in PostgreSQL, the last of several parameters with the same name counts.
  for (let name = next(); name !== ''; name = next()) parameters.set(name, next());
  if (at !== body.length) throw badLayout();
  return { version, parameters };
}

const badLength = () => new ProtocolError('length', 'a first packet of a length that none has');

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
