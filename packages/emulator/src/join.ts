// Makes one connection of two: every byte passes, as fast as the slower side takes it.
import type { Socket } from 'node:net';

/** Joins two sockets that have error handlers of their own and allow half-open connections. */
export function join(left: Socket, right: Socket): void {
  for (const [from, to] of [
    [left, right],
    [right, left],
  ] as const) {
    // pipe holds back the sender, and passes the end of one direction on while the other goes on.
    from.pipe(to);
    // What pipe does not pass on is a socket that breaks off before its end.
    const breakOff = () => {
      if (!from.readableEnded || !from.writableFinished) to.destroy();
    };
    if (from.destroyed) breakOff();
    else from.once('close', breakOff);
  }
}
