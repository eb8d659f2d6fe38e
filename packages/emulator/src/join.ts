// Joins two connections into one: every byte passes, as fast as the slower side can take it.
import type { Socket } from 'node:net';
import { closeTogether } from '@rds-iam/wire';

/** Joins two sockets that have error handlers of their own and allow half-open connections. */
export function join(left: Socket, right: Socket): void {
  // `pipe` applies back-pressure, and passes on the end of one direction while the other continues.
  left.pipe(right).pipe(left);
  closeTogether(left, right);
}
