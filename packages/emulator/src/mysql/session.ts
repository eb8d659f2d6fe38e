// A client and the upstream joined, until the client wants to be another user.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { ConnectionEnded } from '@rds-iam/wire';
import { Command, CommandTracker, encodePacket, Reply } from '@rds-iam/wire/mysql';
import { closeTogether } from '../join.js';
import type { End } from './upstream.js';

/**
 * Joins two sockets, as `join` does, until the client sends a COM_CHANGE_USER. That is left in its stream, and from then
 * on nothing passes.
 */
export function joinUntilChangeUser(client: Socket, upstream: Socket, changesUser: () => void): void {
  const tracker = new CommandTracker();
  let held: Buffer = Buffer.alloc(0);
  const separate = closeTogether(client, upstream);
  const resume = () => client.resume();
  const onEnd = () => upstream.end(held);
  const onData = (chunk: Buffer) => {
    const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const scan = tracker.scan(bytes);
    held = bytes.subarray(scan.forward);
    const room = scan.forward === 0 || upstream.write(bytes.subarray(0, scan.forward));
    if (!scan.changesUser) {
      if (room) return;
      client.pause();
      upstream.once('drain', resume);
      return;
    }
    separate();
    upstream.off('drain', resume).unpipe(client);
    client.off('data', onData).off('end', onEnd).pause();
    client.unshift(held);
    changesUser();
  };
  client.on('data', onData).on('end', onEnd).resume();
  if (client.readableEnded) onEnd();
  upstream.pipe(client);
}

// The longest answer to the question below: a user's name, a host's and ours, in any language.
const MAX_ANSWER_BYTES = 2048;

/**
 * Passes on all that the upstream still has to say to commands that the client has sent before. Where that ends only the
 * upstream knows, so it is asked for something that nobody else asks it: to use a database with a name made up for it.
 * The change of user that follows resets all that an error could have touched.
 * @throws ConnectionEnded
 */
export async function settle(client: Socket, upstream: End, name = randomBytes(16).toString('hex')): Promise<void> {
  upstream.stream.write(encodePacket(0, Buffer.concat([Buffer.from([Command.initDb]), Buffer.from(name)])));
  let held: Buffer = Buffer.alloc(0);
  for (;;) {
    held = Buffer.concat([held, await upstream.reader.readSome()]);
    const answerAt = findAnswer(held, name);
    await write(client, held.subarray(0, answerAt ?? Math.max(0, held.length - MAX_ANSWER_BYTES)));
    if (answerAt !== undefined) return;
    held = held.subarray(Math.max(0, held.length - MAX_ANSWER_BYTES));
  }
}

/** Where the last packet begins, if that is an error about the name. Nothing can follow it. */
export function findAnswer(bytes: Buffer, name: string): number | undefined {
  const nameAt = bytes.lastIndexOf(name);
  if (nameAt === -1) return undefined;
  for (let at = nameAt - 5; at >= 0; at -= 1) {
    const whole = at + 4 + bytes.readUIntLE(at, 3) === bytes.length;
    if (whole && bytes[at + 3] === 1 && bytes[at + 4] === Reply.error) return at;
  }
  return undefined;
}

async function write(socket: Socket, bytes: Buffer): Promise<void> {
  if (bytes.length === 0 || socket.write(bytes)) return;
  const gone = new AbortController();
  const close = () => gone.abort();
  socket.once('close', close);
  try {
    await once(socket, 'drain', { signal: gone.signal });
  } catch {
    throw new ConnectionEnded();
  } finally {
    socket.off('close', close);
  }
}
