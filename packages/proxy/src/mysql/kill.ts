// https://dev.mysql.com/doc/refman/8.4/en/kill.html and COM_PROCESS_KILL
import { Capability, Command } from '@rds-iam/wire/mysql';
import type { ThreadIds } from './thread-ids.js';

/** A KILL statement with an id is never longer. */
const MAX_KILL_BYTES = 64;
const KILL = /^(\s*kill\s+(?:(?:hard|soft)\s+)?(?:(?:query|connection)\s+)?)(\d{1,10})(\s*;?\s*)$/i;
/** The bytes before the text of a query without attributes, if the client could send some. */
const NO_ATTRIBUTES = Buffer.from([0, 1]);
const QUERY_ATTRIBUTES = 1 << 27;

/** Whether a command kills a connection; `undefined` if more bytes are needed to tell. */
export function isKill(start: Buffer, length: number, capabilities: number): boolean | undefined {
  if (start[0] === Command.processKill) return true;
  if (start[0] !== Command.query || length > MAX_KILL_BYTES) return false;
  if (start.length < length) return undefined;
  return KILL.test(textOf(start, capabilities)?.toString('latin1') ?? '');
}

/** The same command with the server's id. */
export function withServerId(command: Buffer, capabilities: number, ids: ThreadIds): Buffer {
  if (command[0] === Command.processKill) {
    if (command.length < 5) return command;
    const translated = Buffer.from(command);
    translated.writeUInt32LE(ids.serverIdOf(command.readUInt32LE(1)), 1);
    return translated;
  }
  const text = textOf(command, capabilities);
  if (!text) return command;
  const statement = text
    .toString('latin1')
    .replace(KILL, (_, before: string, id: string, after: string) => `${before}${ids.serverIdOf(Number(id))}${after}`);
  return Buffer.concat([command.subarray(0, command.length - text.length), Buffer.from(statement, 'latin1')]);
}

function textOf(command: Buffer, capabilities: number): Buffer | undefined {
  if (!(capabilities & QUERY_ATTRIBUTES) || !(capabilities & Capability.mysql)) return command.subarray(1);
  return command.subarray(1, 3).equals(NO_ATTRIBUTES) ? command.subarray(3) : undefined;
}
