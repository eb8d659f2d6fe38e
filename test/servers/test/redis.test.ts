import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { startRedis } from '../src/index.js';
import { expectNothingLeft } from './killed.js';

test('a separate Redis starts, answers and ends', async () => {
  const server = await startRedis();
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  socket.write('PING\r\n');
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toBe('+PONG\r\n');
  socket.destroy();
  await server.close();
  await expect(once(connect(server.port, server.hostname), 'connect')).rejects.toThrow('ECONNREFUSED');
});

test('nothing outlives a process that was killed', () => expectNothingLeft('startRedis', 'SIGKILL', 'started'));
