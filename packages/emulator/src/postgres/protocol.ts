// The part of PostgreSQL's wire protocol that logging in takes: https://www.postgresql.org/docs/current/protocol-message-formats.html
import { isUtf8 } from 'node:buffer';
import { encodeMessage, withLength } from './message.js';
import { badFraming, badPassword, badStartup } from './refusals.js';

/** MAX_STARTUP_PACKET_LENGTH in PostgreSQL; the four bytes of the length come on top. */
export const MAX_STARTUP_BYTES = 10_000;
/** PG_MAX_AUTH_TOKEN_LENGTH in PostgreSQL: the longest answer to a password request. */
export const MAX_PASSWORD_BYTES = 65_535;
/** The first byte of a TLS handshake, where no length of a startup packet can begin. */
export const TLS_HANDSHAKE = 0x16;

/** Codes where a version would be: see “Message Formats” under SSLRequest and GSSENCRequest. */
export const SSL_REQUEST = (1234 << 16) | 5679;
export const GSSENC_REQUEST = (1234 << 16) | 5680;
const CANCEL_REQUEST = (1234 << 16) | 5678;
const NEWEST_MINOR = 2;
const MAX_CANCEL_KEY_BYTES = 256;

/** The packets that may open a connection: they have a length, but no type. */
export type FirstPacket =
  | { readonly kind: 'ssl' | 'gssenc' }
  | { readonly kind: 'cancel'; readonly packet: Buffer }
  | { readonly kind: 'startup'; readonly startup: Startup };

export interface Startup {
  /** Major version in the high 16 bits, minor in the low ones. */
  readonly version: number;
  readonly parameters: ReadonlyMap<string, string>;
}

/** The authentication requests of a server, by the number in an `R` message. */
export const Authentication = {
  ok: 0,
  cleartextPassword: 3,
  md5Password: 5,
  sasl: 10,
  saslContinue: 11,
  saslFinal: 12,
} as const;

/** Checks the length that a first packet declares, before anything of it is stored. Returns how many bytes follow. */
export function firstPacketBodyLength(length: number): number {
  const bytes = length - 4;
  if (bytes < 4 || bytes > MAX_STARTUP_BYTES) throw badFraming();
  return bytes;
}

/** Reads the body of a first packet: all that follows its length. */
export function parseFirstPacket(body: Buffer): FirstPacket {
  const code = body.readUInt32BE(0);
  switch (code) {
    case CANCEL_REQUEST: {
      // A process id and a key, which was four bytes before PostgreSQL 18.
      const keyBytes = body.length - 8;
      if (keyBytes < 1 || keyBytes > MAX_CANCEL_KEY_BYTES) throw badFraming();
      return { kind: 'cancel', packet: withLength(body) };
    }
    case SSL_REQUEST:
    case GSSENC_REQUEST:
      if (body.length !== 4) throw badFraming();
      return { kind: code === SSL_REQUEST ? 'ssl' : 'gssenc' };
    default:
      return { kind: 'startup', startup: parseStartup(code, body.subarray(4)) };
  }
}

/** What PostgreSQL says to a version that it does not speak, among them a second SSLRequest. */
export function unsupportedVersion(version: number): Error {
  return badStartup(
    '0A000',
    `unsupported frontend protocol ${version >>> 16}.${version & 0xffff}: server supports 3.0 to 3.${NEWEST_MINOR}`,
  );
}

function parseStartup(version: number, body: Buffer): Startup {
  if (version >>> 16 !== 3) throw unsupportedVersion(version);
  const badLayout = () => badStartup('08P01', 'invalid startup packet layout: expected terminator as last byte');
  const parameters = new Map<string, string>();
  let at = 0;
  const next = (): string => {
    const end = body.indexOf(0, at);
    if (end === -1) throw badLayout();
    const bytes = body.subarray(at, end);
    // Two names that decode to the same replacement characters must not pass for one another.
    if (!isUtf8(bytes)) throw badStartup('22021', 'invalid byte sequence for encoding "UTF8" in the startup packet');
    at = end + 1;
    return bytes.toString('utf8');
  };
  // As in PostgreSQL, the last of two parameters with one name counts.
  for (let name = next(); name !== ''; name = next()) parameters.set(name, next());
  if (at !== body.length) throw badLayout();
  if (!parameters.get('user')) throw badStartup('28000', 'no PostgreSQL user name specified in startup packet');
  return { version, parameters };
}

export function encodeStartup({ version, parameters }: Startup): Buffer {
  const code = Buffer.alloc(4);
  code.writeUInt32BE(version);
  const pairs = [...parameters].map(([name, value]) => `${name}\0${value}\0`).join('');
  return withLength(Buffer.concat([code, Buffer.from(`${pairs}\0`)]));
}

export function encodeSslRequest(): Buffer {
  const code = Buffer.alloc(4);
  code.writeUInt32BE(SSL_REQUEST);
  return withLength(code);
}

/** Reads the body of a PasswordMessage, with the checks that PostgreSQL makes of it but for the empty one. */
export function parsePassword(type: string, body: Buffer): string {
  if (type !== 'p') throw badPassword(`expected password response, got message type ${type.charCodeAt(0)}`);
  if (body.indexOf(0) !== body.length - 1) throw badPassword('invalid password packet size');
  return body.toString('utf8', 0, body.length - 1);
}

export const encodePassword = (password: string): Buffer => encodeMessage('p', Buffer.from(`${password}\0`));

/** An `R` message: a request of the server's, and what comes with it. */
export function encodeAuthentication(request: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const code = Buffer.alloc(4);
  code.writeInt32BE(request);
  return encodeMessage('R', Buffer.concat([code, data]));
}

/** SASLInitialResponse: the mechanism, and the client's first message. */
export function encodeSaslInitial(mechanism: string, data: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(Buffer.byteLength(data));
  return encodeMessage('p', Buffer.concat([Buffer.from(`${mechanism}\0`), length, Buffer.from(data)]));
}

/** Reads the body of a SASLInitialResponse; `undefined` if it is none. */
export function parseSaslInitial(body: Buffer): { mechanism: string; data: string } | undefined {
  const end = body.indexOf(0);
  if (end === -1 || body.length < end + 5) return undefined;
  const data = body.subarray(end + 5);
  if (body.readInt32BE(end + 1) !== data.length) return undefined;
  return { mechanism: body.toString('utf8', 0, end), data: data.toString('utf8') };
}
