import type { Readable } from 'node:stream';
import { LoginFailure, LoginReader } from '@rds-iam/core/adapter';

// The few packets that a login consists of. Layouts: https://dev.mysql.com/doc/dev/mysql-server/latest/
// (page_protocol_connection_phase). A packet is three bytes of length, a sequence number, and the payload.

const HEADER = 4;
/** What a packet of a login may have: far more than any greeting or refusal, far less than a hostile server could send. */
const MAX_LENGTH = 65_536;

const CLIENT_SSL = 0x0800;
const CLIENT_PLUGIN_AUTH = 0x0008_0000;
/** Flags, maximum packet size, character set and filler: how a response begins, and all of a request for TLS. */
const SSL_REQUEST_LENGTH = 32;
/** Where the lower capability flags of a greeting are, after its version text. */
const SCRAMBLE_PART_1 = 13;

const OK = 0x00;
const AUTH_SWITCH = 0xfe;
const ERROR = 0xff;

export type Packet = Buffer;

export const isOk = (packet: Packet): boolean => packet[HEADER] === OK;
export const isError = (packet: Packet): boolean => packet[HEADER] === ERROR;

/** The number that the server knows an error by. */
export const errorNumber = (packet: Packet): number => packet.readUInt16LE(HEADER + 1);

/** The plugin that the server wants to go on with, if this packet says so. */
export function pluginWanted(packet: Packet): string | undefined {
  if (packet[HEADER] !== AUTH_SWITCH) return undefined;
  const end = packet.indexOf(0, HEADER + 1);
  // One byte alone asks for the scheme of MySQL 4.0.
  return end < 0 ? 'mysql_old_password' : packet.toString('latin1', HEADER + 1, end);
}

/** A packet as the next, or another, of a conversation. */
export function numbered(packet: Packet, sequence: number): Packet {
  const copy = Buffer.from(packet);
  copy[3] = sequence;
  return copy;
}

/** The answer to a request for the password in clear: the password with a zero byte. */
export function clearPassword(password: string, to: Packet): Packet {
  const payload = Buffer.from(`${password}\0`);
  return Buffer.concat([header(payload.length, (to[3] ?? 0) + 1), payload]);
}

export interface Greeting {
  readonly offersTls: boolean;
  /** The same greeting of a server that has no TLS and prefers native passwords, to which every driver answers alike. */
  readonly withoutTls: Packet;
  /** The same for all greetings that differ in what is random in them only. */
  readonly kind: string;
}

/** Reads a greeting (handshake v10); undefined for any other packet. */
export function readGreeting(packet: Packet): Greeting | undefined {
  const versionEnd = packet.indexOf(0, HEADER + 1);
  // Version text, connection id, eight bytes of scramble, a filler.
  const flags = versionEnd + 1 + SCRAMBLE_PART_1;
  if (packet[HEADER] !== 10 || versionEnd < 0 || packet.length < flags + 18) return undefined;
  const lower = packet.readUInt16LE(flags);
  const capabilities = lower | (packet.readUInt16LE(flags + 5) << 16);
  const scrambleLength = Math.max(13, (packet[flags + 7] ?? 0) - 8);
  const plugin = flags + 18 + scrambleLength;
  const plain =
    capabilities & CLIENT_PLUGIN_AUTH && plugin <= packet.length
      ? Buffer.concat([packet.subarray(0, plugin), Buffer.from('mysql_native_password\0')])
      : Buffer.from(packet);
  plain.writeUIntLE(plain.length - HEADER, 0, 3);
  plain.writeUInt16LE(lower & ~CLIENT_SSL, flags);
  const kind = `${packet.toString('latin1', HEADER, versionEnd)} ${packet.toString('hex', flags, flags + 8)}`;
  return { kind, offersTls: (lower & CLIENT_SSL) !== 0, withoutTls: plain };
}

/** A driver's response to a greeting without TLS, as the two packets it takes with TLS: the request, and the response. */
export function overTls(response: Packet): { readonly request: Packet; readonly response: Packet } {
  const encrypted = numbered(response, 2);
  encrypted.writeUInt32LE((encrypted.readUInt32LE(HEADER) | CLIENT_SSL) >>> 0, HEADER);
  const start = encrypted.subarray(HEADER, HEADER + SSL_REQUEST_LENGTH);
  return { request: Buffer.concat([header(start.length, 1), start]), response: encrypted };
}

function header(length: number, sequence: number): Buffer {
  const bytes = Buffer.alloc(HEADER);
  bytes.writeUIntLE(length, 0, 3);
  bytes[3] = sequence;
  return bytes;
}

/** Puts packets together from the pieces in which they arrive. */
export class PacketAssembler {
  #bytes: Buffer = Buffer.alloc(0);

  /** What has arrived beyond the packets taken. */
  get rest(): number {
    return this.#bytes.length;
  }

  add(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
  }

  /** The next packet, once it is complete. */
  take(): Packet | undefined {
    if (this.#bytes.length < HEADER) return undefined;
    const length = HEADER + this.#bytes.readUIntLE(0, 3);
    if (length > MAX_LENGTH) throw protocolError(`a packet of ${length} bytes during the login`);
    if (this.#bytes.length < length) return undefined;
    const packet = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return packet;
  }
}

/** Reads packets one by one from a stream, which is not read from beyond them. */
export class PacketReader {
  readonly #reader: LoginReader<PacketAssembler>;

  constructor(stream: Readable) {
    this.#reader = new LoginReader(stream, new PacketAssembler(), connectionLost);
  }

  next(): Promise<Packet> {
    return this.#reader.next((packets) => packets.take());
  }

  /** Leaves the stream, paused, to the next reader. The server must have said nothing more yet. */
  release(): void {
    if (this.#reader.release().rest > 0) throw protocolError('the server spoke out of turn');
  }
}

export function connectionLost(): LoginFailure {
  return new LoginFailure('connection-lost');
}

export function protocolError(what: string): LoginFailure {
  return new LoginFailure('protocol-violated', `this is not the login of a MySQL server: ${what}`);
}
