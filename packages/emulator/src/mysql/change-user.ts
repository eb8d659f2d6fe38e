// COM_CHANGE_USER: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_change_user.html
import { Cursor } from './cursor.js';
import { COM_CHANGE_USER, nulTerminated } from './protocol.js';
import { parseUsername } from './response.js';

/** The command. Its last parts may be missing, and are then as they were at the login. */
export interface ChangeUser {
  readonly username: string;
  /** The answer to the scramble of the greeting. */
  readonly authentication: Buffer;
  readonly database: Buffer;
  /** The number of a collation, in two bytes. */
  readonly characterSet: Buffer | undefined;
  readonly plugin: string;
  /** Attributes of the connection, with their length, as they came. */
  readonly rest: Buffer;
}

/** @throws Refusal */
export function parseChangeUser(payload: Buffer): ChangeUser {
  const cursor = new Cursor(payload);
  cursor.uint8();
  const username = parseUsername(cursor.untilZero());
  const authentication = cursor.bytes(cursor.uint8());
  const database = cursor.untilZero();
  const characterSet = cursor.left >= 2 ? cursor.bytes(2) : undefined;
  const plugin = cursor.left > 0 ? cursor.untilZero().toString('latin1') : '';
  return { username, authentication, database, characterSet, plugin, rest: cursor.rest() };
}

export function encodeChangeUser(change: ChangeUser): Buffer {
  return Buffer.concat([
    Buffer.from([COM_CHANGE_USER]),
    nulTerminated(change.username),
    Buffer.from([change.authentication.length]),
    change.authentication,
    nulTerminated(change.database),
    ...(change.characterSet === undefined ? [] : [change.characterSet, nulTerminated(change.plugin), change.rest]),
  ]);
}
