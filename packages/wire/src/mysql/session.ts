// A client and its server, joined after the login.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { ByteReader } from '../byte-reader.js';
import { closeTogether } from '../close-together.js';
import { ConnectionEnded } from '../protocol-error.js';
import { Command, type Tracker } from './command.js';
import { encodePacket } from './packet.js';
import { Reply } from './reply.js';

/**
 * Joins two connections into one, as fast as the slower side can take it, until the client sends a command to hold back. That
 * command is left in the client's stream, and from then on nothing passes.
 *
 * Both need 'error' handlers of their own, and to allow half-open connections.
 */
export function joinUntilHeld(client: Socket, server: Socket, tracker: Tracker, onHeld: () => void): void {
  let held: Buffer = Buffer.alloc(0);
  const separate = closeTogether(client, server);
  const resume = () => client.resume();
  const onEnd = () => server.end(held);
  const onData = (chunk: Buffer) => {
    const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const scan = tracker.scan(bytes);
    held = bytes.subarray(scan.forward);
    const room = scan.forward === 0 || server.write(bytes.subarray(0, scan.forward));
    if (!scan.holds) {
      if (room) return;
      client.pause();
      server.once('drain', resume);
      return;
    }
    separate();
    server.off('drain', resume).unpipe(client);
    client.off('data', onData).off('end', onEnd).pause();
    client.unshift(held);
    onHeld();
  };
  client.on('data', onData).on('end', onEnd).resume();
  if (client.readableEnded) onEnd();
  server.pipe(client);
}

// The longest answer to the question below: it contains a user name, a host name and our database name, in any language.
const MAX_ANSWER_BYTES = 2048;

/**
 * Passes on the rest of the server's replies to the client's earlier commands. Only the server knows where they end, so it gets
 * a request that nobody else makes: to use a database with a random name. The change of user that follows resets everything
 * that the resulting error could have affected.
 * @throws ConnectionEnded
 */
export async function settle(
  client: Socket,
  server: Socket,
  reader: ByteReader,
  name = randomBytes(16).toString('hex'),
): Promise<void> {
  server.write(encodePacket(0, Buffer.concat([Buffer.from([Command.initDb]), Buffer.from(name)])));
  let held: Buffer = Buffer.alloc(0);
  for (;;) {
    held = Buffer.concat([held, await reader.readSome()]);
    const answerAt = findAnswer(held, name);
    await write(client, held.subarray(0, answerAt ?? Math.max(0, held.length - MAX_ANSWER_BYTES)));
    if (answerAt !== undefined) return;
    held = held.subarray(Math.max(0, held.length - MAX_ANSWER_BYTES));
  }
}

/** The start of the last packet, if that is the error about the name. Nothing can follow it. */
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
