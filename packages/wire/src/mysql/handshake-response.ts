// A client's answer to the greeting, and the shorter one with which it asks for TLS:
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html
import { isUtf8 } from 'node:buffer';
import { ProtocolError } from '../protocol-error.js';
import { Capability } from './capability.js';
import { Cursor, lengthEncoded, nulTerminated } from './cursor.js';

/** The length of an SSLRequest, which is the beginning of a HandshakeResponse41. */
export const SSL_REQUEST_BYTES = 32;
const FILLER_BYTES = 19;

/** A HandshakeResponse41. */
export interface HandshakeResponse {
  /** The capabilities of both sides; see {@link Capability}. */
  readonly capabilities: number;
  /** See {@link MariadbCapability}. */
  readonly mariadbCapabilities: number;
  readonly maxPacketBytes: number;
  /** The low byte of a collation number. */
  readonly characterSet: number;
  readonly username: string;
  /** The answer to the greeting's scramble. */
  readonly authentication: Buffer;
  readonly database: Buffer | undefined;
  /** The plugin that the answer is for; empty if the client names none. */
  readonly plugin: string;
  /** The connection attributes as received; `undefined` for none. */
  readonly attributes: Buffer | undefined;
  /** The compression level for zstd. */
  readonly zstdLevel: number | undefined;
}

/** What a server has offered, which limits what the client may choose. */
export interface Offered {
  readonly capabilities: number;
  readonly mariadbCapabilities: number;
}

/** Decodes the flags at the beginning of a client's first packet. @throws ProtocolError, of kind `version` before MySQL 4.1 */
export function decodeCapabilities(payload: Buffer): number {
  const capabilities = new Cursor(payload).uint32();
  if (!(capabilities & Capability.protocol41)) throw new ProtocolError('version', 'a client from before MySQL 4.1');
  return capabilities;
}

/** Decodes a HandshakeResponse41, ignoring capabilities that were not offered. @throws ProtocolError */
export function decodeHandshakeResponse(payload: Buffer, offered: Offered): HandshakeResponse {
  const capabilities = (decodeCapabilities(payload) & offered.capabilities) >>> 0;
  const has = (flag: number) => (capabilities & flag) !== 0;
  const cursor = new Cursor(payload);
  cursor.uint32();
  const maxPacketBytes = cursor.uint32();
  const characterSet = cursor.uint8();
  cursor.bytes(FILLER_BYTES);
  const mariadbFlags = cursor.uint32();
  const username = decodeUsername(cursor.untilZero());
  const authentication = authenticationOf(cursor, capabilities);
  const database = has(Capability.connectWithDb) ? cursor.untilZero() : undefined;
  const plugin = has(Capability.pluginAuth) && cursor.left > 0 ? cursor.untilZero().toString('latin1') : '';
  const attributes = has(Capability.connectAttrs) && cursor.left > 0 ? cursor.bytes(cursor.lengthEncoded()) : undefined;
  const zstdLevel = has(Capability.zstdCompression) && cursor.left > 0 ? cursor.uint8() : undefined;
  return {
    capabilities,
    mariadbCapabilities: has(Capability.mysql) ? 0 : (mariadbFlags & offered.mariadbCapabilities) >>> 0,
    maxPacketBytes,
    characterSet,
    username,
    authentication,
    database,
    plugin,
    attributes,
    zstdLevel,
  };
}

/** Encodes an SSLRequest: the beginning of the handshake response, which follows in full over TLS. */
export function encodeSslRequest(response: HandshakeResponse): Buffer {
  const head = Buffer.alloc(SSL_REQUEST_BYTES);
  head.writeUInt32LE(response.capabilities);
  head.writeUInt32LE(response.maxPacketBytes, 4);
  head[8] = response.characterSet;
  head.writeUInt32LE(response.mariadbCapabilities, 9 + FILLER_BYTES);
  return head;
}

/** Encodes a HandshakeResponse41, with only the fields that its capabilities announce. */
export function encodeHandshakeResponse(response: HandshakeResponse): Buffer {
  const { capabilities, authentication, zstdLevel } = response;
  const has = (flag: number) => (capabilities & flag) !== 0;
  const attributes = response.attributes ?? Buffer.alloc(0);
  return Buffer.concat([
    encodeSslRequest(response),
    nulTerminated(response.username),
    encodeAuthentication(authentication, capabilities),
    ...(has(Capability.connectWithDb) ? [nulTerminated(response.database ?? '')] : []),
    ...(has(Capability.pluginAuth) ? [nulTerminated(response.plugin)] : []),
    ...(has(Capability.connectAttrs) ? [lengthEncoded(attributes.length), attributes] : []),
    ...(has(Capability.zstdCompression) && zstdLevel !== undefined ? [Buffer.from([zstdLevel])] : []),
  ]);
}

/** Decodes a user name. @throws ProtocolError of kind `encoding` */
export function decodeUsername(bytes: Buffer): string {
  // Different names that decode to the same replacement characters must not be mistaken for each other.
  if (!isUtf8(bytes)) throw new ProtocolError('encoding', 'the name of a user that is not UTF-8');
  // As in MySQL, for the sake of old clients.
  return bytes.toString('utf8').replace(/^'(.+)'$/s, '$1');
}

function authenticationOf(cursor: Cursor, capabilities: number): Buffer {
  if (capabilities & Capability.pluginAuthLenenc) return cursor.bytes(cursor.lengthEncoded());
  if (capabilities & Capability.secureConnection) return cursor.bytes(cursor.uint8());
  return cursor.untilZero();
}

function encodeAuthentication(authentication: Buffer, capabilities: number): Buffer {
  if (capabilities & Capability.pluginAuthLenenc) {
    return Buffer.concat([lengthEncoded(authentication.length), authentication]);
  }
  if (capabilities & Capability.secureConnection) {
    if (authentication.length > 0xff) throw new RangeError('an answer of more than 255 bytes needs pluginAuthLenenc');
    return Buffer.concat([Buffer.from([authentication.length]), authentication]);
  }
  return nulTerminated(authentication);
}
