// A server's first packet:
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html
import { ProtocolError } from '../protocol-error.js';
import { Capability } from './capability.js';
import { Cursor, nulTerminated, uint16, uint32 } from './cursor.js';

const PROTOCOL_VERSION = 10;
/** The length of the server's challenge for scrambling a password. */
export const SCRAMBLE_BYTES = 20;
const FIRST_PART_BYTES = 8;
const FILLER_BYTES = 6;

/** A server's greeting: HandshakeV10. */
export interface Greeting {
  readonly serverVersion: string;
  /** The connection id, for KILL. */
  readonly connectionId: number;
  readonly scramble: Buffer;
  /** See {@link Capability}. */
  readonly capabilities: number;
  /** See {@link MariadbCapability}; 0 for MySQL. */
  readonly mariadbCapabilities: number;
  /** The low byte of a collation number. */
  readonly characterSet: number;
  readonly status: number;
  /** The plugin that the scramble is for; empty for a server without plugins. */
  readonly plugin: string;
}

/** Decodes a greeting. @throws ProtocolError, of kind `version` if the packet is not a greeting of version 10 */
export function decodeGreeting(payload: Buffer): Greeting {
  const cursor = new Cursor(payload);
  const version = cursor.uint8();
  if (version !== PROTOCOL_VERSION) throw new ProtocolError('version', `no greeting of version ${PROTOCOL_VERSION}`);
  const serverVersion = cursor.untilZero().toString('latin1');
  const connectionId = cursor.uint32();
  const firstPart = cursor.bytes(FIRST_PART_BYTES);
  cursor.uint8();
  const low = cursor.uint16();
  const characterSet = cursor.uint8();
  const status = cursor.uint16();
  const capabilities = (low | (cursor.uint16() << 16)) >>> 0;
  const scrambleBytes = cursor.uint8();
  cursor.bytes(FILLER_BYTES);
  const mariadbFlags = cursor.uint32();
  // With its terminator, the second part always has at least 13 bytes.
  const secondPart = cursor.bytes(Math.max(SCRAMBLE_BYTES + 1, scrambleBytes) - FIRST_PART_BYTES);
  const plugin = capabilities & Capability.pluginAuth ? cursor.untilZero().toString('latin1') : '';
  return {
    serverVersion,
    connectionId,
    scramble: Buffer.concat([firstPart, secondPart]).subarray(0, SCRAMBLE_BYTES),
    capabilities,
    mariadbCapabilities: capabilities & Capability.mysql ? 0 : mariadbFlags,
    characterSet,
    status,
    plugin,
  };
}

/** Encodes a greeting. */
export function encodeGreeting(greeting: Greeting): Buffer {
  const { capabilities, scramble } = greeting;
  const hasPlugins = (capabilities & Capability.pluginAuth) !== 0;
  return Buffer.concat([
    Buffer.from([PROTOCOL_VERSION]),
    nulTerminated(Buffer.from(greeting.serverVersion, 'latin1')),
    uint32(greeting.connectionId),
    scramble.subarray(0, FIRST_PART_BYTES),
    Buffer.alloc(1),
    uint16(capabilities),
    Buffer.from([greeting.characterSet]),
    uint16(greeting.status),
    uint16(capabilities >>> 16),
    Buffer.from([hasPlugins ? SCRAMBLE_BYTES + 1 : 0]),
    Buffer.alloc(FILLER_BYTES),
    uint32(capabilities & Capability.mysql ? 0 : greeting.mariadbCapabilities),
    nulTerminated(scramble.subarray(FIRST_PART_BYTES, SCRAMBLE_BYTES)),
    ...(hasPlugins ? [nulTerminated(Buffer.from(greeting.plugin, 'latin1'))] : []),
  ]);
}
