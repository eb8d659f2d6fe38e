import type { Socket } from 'node:net';

/**
 * Makes one connection of two: every byte passes, as fast as the slower side takes it, and the end of one direction while
 * the other goes on. Both need 'error' handlers of their own, and to allow half-open connections.
 */
export function join(client: Socket, server: Socket): void {
  passOn(client, server);
  passOn(server, client);
}

function passOn(from: Socket, to: Socket): void {
  from.on('data', (chunk: Buffer) => {
    if (!to.write(chunk)) from.pause();
  });
  to.on('drain', () => from.resume());
  from.once('end', () => to.end());
  from.once('close', () => {
    // Broken off before its end: the other side is to see that it was.
    if (!from.readableEnded || !from.writableFinished) to.destroy();
  });
  if (from.destroyed) to.destroy();
  else from.resume();
}
