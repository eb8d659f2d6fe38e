// A server's authentication requests, and the answers:
// https://www.postgresql.org/docs/current/protocol-message-formats.html (Authentication…, PasswordMessage, SASLInitialResponse)
import { ProtocolError } from '../protocol-error.js';
import { encodeMessage, type Message, MessageType } from './message.js';

/** PostgreSQL's PG_MAX_AUTH_TOKEN_LENGTH: the longest answer to a password request. */
export const MAX_PASSWORD_BYTES = 65_535;

/** The requests of a server, by the number in an Authentication message. */
export const Authentication = {
  ok: 0,
  cleartextPassword: 3,
  md5Password: 5,
  sasl: 10,
  saslContinue: 11,
  saslFinal: 12,
} as const;

/** Encodes an Authentication message: a request, and the data that comes with it. */
export function encodeAuthentication(request: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const code = Buffer.alloc(4);
  code.writeInt32BE(request);
  return encodeMessage(MessageType.authentication, Buffer.concat([code, data]));
}

/** Decodes an Authentication message; `undefined` for any other one. @throws ProtocolError */
export function decodeAuthentication({ type, body }: Message): { request: number; data: Buffer } | undefined {
  if (type !== MessageType.authentication) return undefined;
  if (body.length < 4) throw new ProtocolError('layout', 'an Authentication message without a request');
  return { request: body.readInt32BE(0), data: body.subarray(4) };
}

/** Encodes a PasswordMessage. */
export const encodePassword = (password: string): Buffer =>
  encodeMessage(MessageType.password, Buffer.from(`${password}\0`));

/** Decodes the body of a PasswordMessage. @throws ProtocolError unless its only zero byte is at the end */
export function decodePassword(body: Buffer): string {
  if (body.length === 0 || body.indexOf(0) !== body.length - 1)
    throw new ProtocolError('layout', 'a password that does not end with its zero');
  return body.toString('utf8', 0, body.length - 1);
}

/** A SASLInitialResponse. */
export interface SaslInitial {
  readonly mechanism: string;
  readonly data: string;
}

/** Encodes a SASLInitialResponse: the mechanism, and the client's first message. */
export function encodeSaslInitial({ mechanism, data }: SaslInitial): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(Buffer.byteLength(data));
  return encodeMessage(MessageType.password, Buffer.concat([Buffer.from(`${mechanism}\0`), length, Buffer.from(data)]));
}

/** Decodes the body of a SASLInitialResponse. @throws ProtocolError */
export function decodeSaslInitial(body: Buffer): SaslInitial {
  const end = body.indexOf(0);
  const data = body.subarray(end + 5);
  if (end === -1 || body.length < end + 5 || body.readInt32BE(end + 1) !== data.length) {
    throw new ProtocolError('layout', 'a SASLInitialResponse of another length than it declares');
  }
  return { mechanism: body.toString('utf8', 0, end), data: data.toString('utf8') };
}
