// A server's first packet: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html
import { Cursor } from './cursor.js';
import { CARRIED_BY_MARIADB, Capability, NOT_CARRIED } from './protocol.js';

const PROTOCOL_VERSION = 10;
const SCRAMBLE_BYTES = 20;

/** What the upstream says of itself. */
export interface Greeting {
  /** Capability flags. */
  readonly capabilities: number;
  /** MariaDB's own flags; 0 for MySQL. */
  readonly mariadbCapabilities: number;
  readonly scramble: Buffer;
  readonly plugin: string;
  /** The whole of it. */
  readonly payload: Buffer;
  /** Where the flags are in the payload: the low half, the high half, and MariaDB's own. */
  readonly at: { readonly low: number; readonly high: number; readonly mariadb: number };
}

/** `undefined`, or a Refusal is thrown, if it is none. */
export function parseGreeting(payload: Buffer): Greeting | undefined {
  const cursor = new Cursor(payload);
  if (cursor.uint8() !== PROTOCOL_VERSION) return undefined;
  cursor.untilZero(); // the version of the server
  cursor.uint32(); // the id of the connection, by which it can be killed
  const firstPart = cursor.bytes(8);
  cursor.uint8();
  const low = cursor.at;
  const lowFlags = cursor.bytes(2).readUInt16LE();
  cursor.bytes(3); // the character set, the status
  const high = cursor.at;
  const capabilities = (lowFlags | (cursor.bytes(2).readUInt16LE() << 16)) >>> 0;
  const scrambleBytes = cursor.uint8();
  cursor.bytes(6);
  const mariadb = cursor.at;
  const mariadbFlags = cursor.uint32();
  // With its zero at the end the second part has 13 bytes, and never fewer.
  const secondPart = cursor.bytes(Math.max(13, scrambleBytes - 8));
  const plugin = capabilities & Capability.pluginAuth ? cursor.untilZero().toString('latin1') : '';
  return {
    capabilities,
    mariadbCapabilities: capabilities & Capability.mysql ? 0 : mariadbFlags,
    scramble: Buffer.concat([firstPart, secondPart]).subarray(0, SCRAMBLE_BYTES),
    plugin,
    payload,
    at: { low, high, mariadb },
  };
}

/** What we say of ourselves: all that the upstream says, but for the capabilities. */
export interface Offer {
  readonly capabilities: number;
  readonly mariadbCapabilities: number;
  readonly payload: Buffer;
}

export function offer(greeting: Greeting, tls: boolean): Offer {
  const capabilities = ((greeting.capabilities & ~NOT_CARRIED & ~Capability.ssl) | (tls ? Capability.ssl : 0)) >>> 0;
  const mariadbCapabilities = greeting.mariadbCapabilities & CARRIED_BY_MARIADB;
  const payload = Buffer.from(greeting.payload);
  payload.writeUInt16LE(capabilities & 0xffff, greeting.at.low);
  payload.writeUInt16LE(capabilities >>> 16, greeting.at.high);
  if (!(capabilities & Capability.mysql)) payload.writeUInt32LE(mariadbCapabilities, greeting.at.mariadb);
  return { capabilities, mariadbCapabilities, payload };
}
