// Makes one connection of two: every byte passes, as fast as the slower side takes it.
import type { Socket } from 'node:net';
import { closeTogether } from '@rds-iam/wire';

/** Joins two sockets that have error handlers of their own and allow half-open connections. */
export function join(left: Socket, right: Socket): void {
  // pipe holds back the sender, and passes the end of one direction on while the other goes on.
  left.pipe(right).pipe(left);
  closeTogether(left, right);
}
