// A client's answer to the greeting, and the shorter one with which it asks for TLS:
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_response.html
import { isUtf8 } from 'node:buffer';
import { Cursor, encodeLength } from './cursor.js';
import type { Offer } from './greeting.js';
import { Capability, nulTerminated } from './protocol.js';
import { badHandshake, clientTooOld } from './refusals.js';

/** The length of an SSLRequest, which is the beginning of a HandshakeResponse. */
export const SSL_REQUEST_BYTES = 32;
const FILLER_BYTES = 19;

export interface Response {
  /** What both sides can do. */
  readonly capabilities: number;
  readonly mariadbCapabilities: number;
  readonly maxPacketBytes: number;
  /** The low byte of the number of a collation. */
  readonly characterSet: number;
  readonly username: string;
  /** The answer to the greeting's scramble. */
  readonly authentication: Buffer;
  readonly database: Buffer | undefined;
  readonly plugin: string;
  /** Names and values of the connection's attributes, as they came; `undefined` for none. */
  readonly attributes: Buffer | undefined;
}

/** The flags at the beginning of a first packet. @throws Refusal */
export function parseCapabilities(payload: Buffer): number {
  const capabilities = new Cursor(payload).uint32();
  if (!(capabilities & Capability.protocol41)) throw clientTooOld('');
  return capabilities;
}

/** Reads a HandshakeResponse41, and takes of its capabilities only what was offered. @throws Refusal */
export function parseResponse(payload: Buffer, offered: Offer): Response {
  const capabilities = (parseCapabilities(payload) & offered.capabilities) >>> 0;
  if (!(capabilities & Capability.pluginAuth) || !(capabilities & Capability.secureConnection)) throw clientTooOld();
  const cursor = new Cursor(payload);
  cursor.uint32();
  const maxPacketBytes = cursor.uint32();
  const characterSet = cursor.uint8();
  cursor.bytes(FILLER_BYTES);
  const mariadbFlags = cursor.uint32();
  const username = parseUsername(cursor.untilZero());
  const authentication = cursor.bytes(
    capabilities & Capability.pluginAuthLenenc ? cursor.lengthEncoded() : cursor.uint8(),
  );
  const database = capabilities & Capability.connectWithDb ? cursor.untilZero() : undefined;
  const plugin = cursor.left > 0 ? cursor.untilZero().toString('latin1') : '';
  const attributes =
    capabilities & Capability.connectAttrs && cursor.left > 0 ? cursor.bytes(cursor.lengthEncoded()) : undefined;
  return {
    capabilities,
    mariadbCapabilities: capabilities & Capability.mysql ? 0 : mariadbFlags & offered.mariadbCapabilities,
    maxPacketBytes,
    characterSet,
    username,
    authentication,
    database,
    plugin,
    attributes,
  };
}

/** Two names that decode to the same replacement characters must not pass for one another. */
export function parseUsername(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw badHandshake();
  // As in MySQL, for the sake of old clients.
  return bytes.toString('utf8').replace(/^'(.+)'$/s, '$1');
}

/** The beginning of both packets. */
export function encodeSslRequest(response: Response): Buffer {
  const head = Buffer.alloc(SSL_REQUEST_BYTES);
  head.writeUInt32LE(response.capabilities);
  head.writeUInt32LE(response.maxPacketBytes, 4);
  head[8] = response.characterSet;
  head.writeUInt32LE(response.mariadbCapabilities, 9 + FILLER_BYTES);
  return head;
}

export function encodeResponse(response: Response): Buffer {
  const { capabilities, username, authentication, database, plugin, attributes } = response;
  const lenenc = capabilities & Capability.pluginAuthLenenc;
  return Buffer.concat([
    encodeSslRequest(response),
    nulTerminated(username),
    lenenc ? encodeLength(authentication.length) : Buffer.from([authentication.length]),
    authentication,
    ...(database === undefined ? [] : [nulTerminated(database)]),
    nulTerminated(plugin),
    ...(attributes === undefined ? [] : [encodeLength(attributes.length), attributes]),
  ]);
}
