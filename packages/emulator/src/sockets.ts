// Waiting for socket events.
import type { Socket } from 'node:net';

/** Resolves when the socket has closed, with an error or without. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}

/** Resolves after this many milliseconds, or when the socket closes. */
export function delay(ms: number, socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      socket.off('close', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    timer.unref();
    socket.once('close', done);
  });
}
