import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { join } from '../src/join.js';

/** The two ends of a connection. */
async function connection(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const one = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  const [other] = (await once(server, 'connection')) as [Socket];
  server.close();
  for (const socket of [one, other]) {
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
  }
  return [one, other];
}

async function received(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of socket) pieces.push(piece);
  return Buffer.concat(pieces);
}

test('every byte passes in its order, small pieces and large ones, and then the end', async () => {
  const [[sender, from], [to, receiver]] = [await connection(), await connection()];
  join(from, to);
  const sent = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) & 0xff));
  const arrived = received(receiver);
  for (let at = 0, size = 1; at < sent.length; at += size, size = (size * 3) % 9_973) {
    if (!sender.write(sent.subarray(at, at + size))) await once(sender, 'drain');
  }
  sender.end();
  expect((await arrived).equals(sent)).toBe(true);
});

test('one that has ended before is at its end', async () => {
  const [[sender, from], [to, receiver]] = [await connection(), await connection()];
  sender.end();
  from.resume();
  await once(from, 'end');
  join(from, to);
  expect(await received(receiver)).toHaveLength(0);
});

test('a side that does not read holds back the other one', async () => {
  const [[sender, from], [to, receiver]] = [await connection(), await connection()];
  receiver.pause();
  join(from, to);
  const chunk = Buffer.alloc(65_536);
  let sent = 0;
  for (let isHeldBack = false; !isHeldBack; sent += chunk.length) {
    isHeldBack = !sender.write(chunk) && from.isPaused();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(to.writableLength).toBeLessThan(400_000);
  sender.end();
  expect(await received(receiver)).toHaveLength(sent);
});
