import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { join } from '../src/join.js';

/** A socket whose writes only finish when the test says so: the kernel's buffers would hide losses. */
function slowSocket() {
  const received: string[] = [];
  const waiting: (() => void)[] = [];
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      received.push(chunk.toString());
      waiting.push(done);
    },
  });
  socket.on('error', () => {});
  return { socket: socket as unknown as Socket, received, take: () => waiting.shift()?.() };
}

test('what one side has sent before it closed still arrives at the other', async () => {
  const [left, right] = [slowSocket(), slowSocket()];
  join(left.socket, right.socket);
  const closed = once(left.socket, 'close');
  for (const part of ['a', 'b', null]) left.socket.push(part);
  right.socket.push(null);
  await closed;
  expect(right.socket.destroyed).toBe(false);
  right.take();
  right.take();
  await once(right.socket, 'close');
  expect(right.received).toEqual(['a', 'b']);
});

test('if one side is lost, the other is closed, even if that happened before', async () => {
  const [left, right] = [slowSocket(), slowSocket()];
  join(left.socket, right.socket);
  left.socket.destroy(new Error('reset'));
  await once(right.socket, 'close');

  const [gone, late] = [slowSocket(), slowSocket()];
  gone.socket.destroy();
  await once(gone.socket, 'close');
  join(gone.socket, late.socket);
  expect(late.socket.destroyed).toBe(true);
});
