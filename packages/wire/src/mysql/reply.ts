// A server's packets during a login:
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets.html
import { ProtocolError } from '../protocol-error.js';
import { Cursor, nulTerminated, uint16 } from './cursor.js';

/** The first byte of a server's packet during a login. */
export const Reply = { ok: 0x00, moreData: 0x01, authSwitch: 0xfe, error: 0xff } as const;

/** The names of authentication plugins. */
export const Plugin = {
  clearPassword: 'mysql_clear_password',
  nativePassword: 'mysql_native_password',
  cachingSha2Password: 'caching_sha2_password',
  /** The method of MySQL 4.0, which has no name on the wire. */
  oldPassword: 'mysql_old_password',
} as const;

/** The messages of the caching_sha2_password plugin: the server's in a `Reply.moreData`, and the client's. */
export const Sha2 = { requestPublicKey: 2, fastAuthOk: 3, fullAuth: 4 } as const;

/** A request to authenticate with another plugin. */
export interface AuthSwitch {
  readonly plugin: string;
  /** The plugin's data: usually a scramble, followed by a zero byte. */
  readonly data: Buffer;
}

/** Encodes an AuthSwitchRequest. */
export const encodeAuthSwitch = ({ plugin, data }: AuthSwitch): Buffer =>
  Buffer.concat([Buffer.from([Reply.authSwitch]), nulTerminated(plugin), data]);

/** Decodes an AuthSwitchRequest; `undefined` for any other packet. @throws ProtocolError */
export function decodeAuthSwitch(payload: Buffer): AuthSwitch | undefined {
  if (payload[0] !== Reply.authSwitch) return undefined;
  const cursor = new Cursor(payload.subarray(1));
  const plugin = cursor.left > 0 ? cursor.untilZero().toString('latin1') : Plugin.oldPassword;
  return { plugin, data: cursor.rest() };
}

/** Encodes an AuthMoreData. */
export const encodeMoreData = (data: Buffer): Buffer => Buffer.concat([Buffer.from([Reply.moreData]), data]);

/** The fields of an ERR packet. */
export interface ErrorReport {
  readonly code: number;
  /** Five characters; empty for clients from before MySQL 4.1. */
  readonly sqlState: string;
  readonly message: string;
}

/** Encodes an ERR packet. */
export function encodeError({ code, sqlState, message }: ErrorReport): Buffer {
  return Buffer.concat([
    Buffer.from([Reply.error]),
    uint16(code),
    Buffer.from(`${sqlState && '#'}${sqlState}${message}`),
  ]);
}

/** Decodes an ERR packet. @throws ProtocolError */
export function decodeError(payload: Buffer): ErrorReport {
  const cursor = new Cursor(payload);
  if (cursor.uint8() !== Reply.error) throw new ProtocolError('layout', 'no ERR packet');
  const code = cursor.uint16();
  const rest = cursor.rest();
  const hasState = rest.length >= 6 && rest[0] === 0x23;
  return {
    code,
    sqlState: hasState ? rest.toString('latin1', 1, 6) : '',
    message: rest.toString('utf8', hasState ? 6 : 0),
  };
}
