// Makes one connection of two: every byte passes, as fast as the slower side takes it.
import type { Socket } from 'node:net';

/** Joins two sockets that have error handlers of their own and allow half-open connections. */
export function join(left: Socket, right: Socket): void {
  // pipe holds back the sender, and passes the end of one direction on while the other goes on.
  left.pipe(right).pipe(left);
  closeTogether(left, right);
}

/** What pipe does not pass on is a socket that is lost before its end. Returns what undoes it. */
export function closeTogether(left: Socket, right: Socket): () => void {
  const undo = [[left, right] as const, [right, left] as const].map(([from, to]) => {
    const closeOther = () => {
      if (!from.readableEnded || !from.writableFinished) to.destroy();
    };
    if (from.destroyed) closeOther();
    else from.once('close', closeOther);
    return () => from.off('close', closeOther);
  });
  return () => {
    for (const one of undo) one();
  };
}
