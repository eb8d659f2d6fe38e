import type { Socket } from 'node:net';

/** How much may wait for a side that takes it more slowly than the other one gives it. */
const MAX_WAITING_BYTES = 262_144;
/** A server sends a large result in records of TLS, which arrive one by one: what comes together is written together. */
const LARGE_CHUNK_BYTES = 4_096;

/**
 * Joins two connections into one: every byte passes, as fast as the slower side can take it, and so does the end of one
 * direction while the other continues. Both need 'error' handlers of their own, and must allow half-open connections.
 */
export function join(client: Socket, server: Socket): void {
  passOn(client, server);
  passOn(server, client);
}

function passOn(from: Socket, to: Socket): void {
  let isCorked = false;
  const uncork = () => {
    isCorked = false;
    to.uncork();
  };
  from.on('data', (chunk: Buffer) => {
    if (chunk.length >= LARGE_CHUNK_BYTES && !isCorked) {
      isCorked = true;
      to.cork();
      setImmediate(uncork);
    }
    to.write(chunk);
    if (to.writableLength > MAX_WAITING_BYTES) from.pause();
  });
  to.on('drain', () => from.resume());
  from.once('end', () => to.end());
  from.once('close', () => {
    // Closed before its end, which the other side should be able to see.
    if (!from.readableEnded || !from.writableFinished) to.destroy();
  });
  if (from.destroyed) to.destroy();
  else if (from.readableEnded) to.end();
  else from.resume();
}
