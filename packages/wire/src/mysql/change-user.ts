// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_change_user.html
import { Command } from './command.js';
import { Cursor, nulTerminated, uint16 } from './cursor.js';
import { decodeUsername } from './handshake-response.js';

/** A COM_CHANGE_USER. Its last fields may be missing; the values of the login then stay in force. */
export interface ChangeUser {
  readonly username: string;
  /** The answer to the scramble of the greeting. */
  readonly authentication: Buffer;
  readonly database: Buffer;
  /** The number of a collation. */
  readonly characterSet: number | undefined;
  readonly plugin: string;
  /** The connection attributes with their length, as received. */
  readonly rest: Buffer;
}

/** Decodes a COM_CHANGE_USER. @throws ProtocolError */
export function decodeChangeUser(payload: Buffer): ChangeUser {
  const cursor = new Cursor(payload);
  cursor.uint8();
  const username = decodeUsername(cursor.untilZero());
  const authentication = cursor.bytes(cursor.uint8());
  const database = cursor.untilZero();
  const characterSet = cursor.left >= 2 ? cursor.uint16() : undefined;
  const plugin = cursor.left > 0 ? cursor.untilZero().toString('latin1') : '';
  return { username, authentication, database, characterSet, plugin, rest: cursor.rest() };
}

/** Encodes a COM_CHANGE_USER; without a character set, all fields after that are left out, too. */
export function encodeChangeUser(change: ChangeUser): Buffer {
  return Buffer.concat([
    Buffer.from([Command.changeUser]),
    nulTerminated(change.username),
    Buffer.from([change.authentication.length]),
    change.authentication,
    nulTerminated(change.database),
    ...(change.characterSet === undefined
      ? []
      : [uint16(change.characterSet), nulTerminated(change.plugin), change.rest]),
  ]);
}
