// What of PostgreSQL's protocol a login takes: https://www.postgresql.org/docs/current/protocol-message-formats.html
import { isUtf8 } from 'node:buffer';
import type { Client } from '../client.js';
import { Refusal } from '../refusal.js';

/** MAX_STARTUP_PACKET_LENGTH in PostgreSQL; the four bytes of the length come on top. */
const MAX_STARTUP_BYTES = 10_000;
const MAX_CANCEL_KEY_BYTES = 256;
const SSL_REQUEST = (1234 << 16) | 5679;
const GSSENC_REQUEST = (1234 << 16) | 5680;
const CANCEL_REQUEST = (1234 << 16) | 5678;

/** What opens a connection: it has a length, but no type. */
export type FirstPacket =
  | { readonly kind: 'ssl' | 'gssenc' }
  | { readonly kind: 'cancel'; readonly packet: Buffer; readonly key: string }
  | { readonly kind: 'startup'; readonly startup: Startup };

export interface Startup {
  /** As it came. */
  readonly packet: Buffer;
  readonly parameters: ReadonlyMap<string, string>;
}

export const badProtocol = (message: string) => new Refusal('protocol', message);

/** @throws Refusal, ClientGone */
export async function readFirstPacket(client: Client): Promise<FirstPacket> {
  const header = await client.read(4);
  const length = header.readUInt32BE(0);
  if (length < 8 || length > MAX_STARTUP_BYTES + 4) throw badProtocol('invalid length of startup packet');
  const packet = Buffer.concat([header, await client.read(length - 4)]);
  const code = packet.readUInt32BE(4);
  switch (code) {
    case CANCEL_REQUEST:
      if (length <= 12 || length > 12 + MAX_CANCEL_KEY_BYTES) throw badProtocol('invalid length of cancel request');
      return { kind: 'cancel', packet, key: cancelKey(packet.subarray(8)) };
    case SSL_REQUEST:
    case GSSENC_REQUEST:
      if (length !== 8) throw badProtocol('invalid length of startup packet');
      return { kind: code === SSL_REQUEST ? 'ssl' : 'gssenc' };
    default:
      return { kind: 'startup', startup: parseStartup(code, packet) };
  }
}

function parseStartup(version: number, packet: Buffer): Startup {
  if (version >>> 16 !== 3) throw badProtocol(`unsupported frontend protocol ${version >>> 16}.${version & 0xffff}`);
  const badLayout = () => badProtocol('invalid startup packet layout: expected terminator as last byte');
  const parameters = new Map<string, string>();
  let at = 8;
  const next = (): string => {
    const end = packet.indexOf(0, at);
    if (end === -1) throw badLayout();
    const bytes = packet.subarray(at, end);
    // Two names that decode to the same replacement characters must not pass for one another.
    if (!isUtf8(bytes)) throw badProtocol('invalid byte sequence for encoding "UTF8" in the startup packet');
    at = end + 1;
    return bytes.toString('utf8');
  };
  // As in PostgreSQL, the last of two parameters with one name counts.
  for (let name = next(); name !== ''; name = next()) parameters.set(name, next());
  if (at !== packet.length) throw badLayout();
  return { packet, parameters };
}

/** The same startup packet for a database, which it does not name. */
export function withDatabase({ packet }: Startup, database: string): Buffer {
  const parameter = Buffer.from(`database\0${database}\0\0`);
  const whole = Buffer.concat([packet.subarray(0, packet.length - 1), parameter]);
  whole.writeUInt32BE(whole.length, 0);
  return whole;
}

/** A message with a type. */
export function encode(type: string, ...body: readonly Buffer[]): Buffer {
  const header = Buffer.from(`${type}\0\0\0\0`);
  const message = Buffer.concat([header, ...body]);
  message.writeUInt32BE(message.length - 1, 1);
  return message;
}

export const AUTHENTICATION = { cleartextPassword: 3, sasl: 10, saslContinue: 11, saslFinal: 12 } as const;

export function encodeAuthentication(kind: keyof typeof AUTHENTICATION, data = ''): Buffer {
  const code = Buffer.alloc(4);
  code.writeUInt32BE(AUTHENTICATION[kind]);
  return encode('R', code, Buffer.from(data));
}

/** The body of the client's next answer to a request for its password. @throws Refusal, ClientGone */
export async function readAnswer(client: Client): Promise<Buffer> {
  const header = await client.read(5);
  if (header.toString('latin1', 0, 1) !== 'p') throw badProtocol('expected a password response');
  const length = header.readUInt32BE(1) - 4;
  if (length < 0 || length > MAX_STARTUP_BYTES) throw badProtocol('invalid length of a password response');
  return length === 0 ? Buffer.alloc(0) : client.read(length);
}

/** The fields of an ErrorResponse, by their letters. */
export function encodeError(fields: Readonly<Record<string, string | undefined>>): Buffer {
  const given = Object.entries(fields).flatMap(([letter, text]) =>
    text === undefined ? [] : `${letter}${text.replaceAll('\0', ' ')}\0`,
  );
  return encode('E', Buffer.from(`${given.join('')}\0`));
}

/** The key by which a client may have its queries canceled, out of what a server says at the end of a login. */
export function backendKey(said: Buffer): string | undefined {
  for (let at = 0; at + 5 <= said.length; at += 1 + said.readUInt32BE(at + 1)) {
    const type = said.toString('latin1', at, at + 1);
    if (type === 'K') return cancelKey(said.subarray(at + 5, at + 1 + said.readUInt32BE(at + 1)));
    if (type === 'Z') return undefined;
  }
  return undefined;
}

/** A process id and a secret, which was four bytes before PostgreSQL 18. */
const cancelKey = (bytes: Buffer) => bytes.toString('latin1');
