import type { Socket } from 'node:net';

/**
 * Destroys one of two joined sockets if the other closes before its end, which `pipe` does not pass on.
 *
 * @returns a function that undoes this
 */
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
