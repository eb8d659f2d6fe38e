import { once } from 'node:events';
import { connect } from 'node:net';
import { type Stack, startStack } from '@rds-iam/conformance';
import {
  Command,
  cachingSha2Password,
  decodeError,
  decodeGreeting,
  encodePacket,
  Plugin,
  Reply,
} from '@rds-iam/wire/mysql';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Clock } from '../../src/clock.js';
import { startProxyWith } from '../../src/proxy.js';
import { until } from '../harness.js';
import { ask, type Site, startSite, Wire } from './harness.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack('mysql');
});
afterAll(() => stack[Symbol.asyncDispose]());

describe('a client that vanishes', () => {
  test.each(['greeting', 'half of its response', 'its response', 'its proof', 'a change of user'])(
    'after %s leaves nothing behind',
    async (phase) => {
      const site = await startSite(stack);
      await ask(site.config);
      const wire = await Wire.open(site);
      const response = encodePacket(1, wire.response(site));
      if (phase === 'half of its response') wire.socket.write(response.subarray(0, 20));
      if (phase === 'its response') wire.socket.write(response);
      if (phase === 'its proof' || phase === 'a change of user') {
        wire.channel.write(wire.response(site));
        // MariaDB's greeting is for native passwords.
        const { payload, scramble } = {
          payload: await wire.channel.read(1000),
          scramble: 1 + Plugin.cachingSha2Password.length + 1,
        };
        expect(payload[0]).toBe(Reply.authSwitch);
        wire.channel.write(
          cachingSha2Password(site.config.password as string, payload.subarray(scramble, scramble + 20)),
        );
      }
      if (phase === 'a change of user') {
        expect(await wire.channel.read(1000)).toEqual(Buffer.from([1, 3]));
        expect((await wire.channel.read(1000))[0]).toBe(Reply.ok);
        wire.socket.write(encodePacket(0, Buffer.from([Command.changeUser])).subarray(0, 5));
      }
      wire.socket.resetAndDestroy();
      await until(() => site.proxy.stats.connected === 0);
      await until(async () => (await stack.sessions()) === 0);
      expect(await ask(site.config)).toHaveLength(1);
    },
  );
});

test('one that never speaks is cut off when its time is up, and has not been to the server', async () => {
  const timers = new Set<() => void>();
  const clock: Clock = {
    now: () => Date.now(),
    monotonicNow: () => 0,
    after(_delay, callback) {
      timers.add(callback);
      return () => void timers.delete(callback);
    },
  };
  const { host: hostname, port, user: username, database, iam } = stack.config;
  const proxy = await startProxyWith(clock, {
    targets: [{ engine: 'mysql', hostname, port, username, database }],
    iam,
  });
  onTestFinished(() => proxy.close());
  const at = proxy.listeners[0]?.listening;
  if (!at || !('port' in at)) throw new Error('no port');
  const site = { config: { host: at.address, port: at.port } } as Site;
  await Wire.open(site);
  const before = stack.emulator.stats.connections;
  const wire = await Wire.open(site);
  for (const callback of timers) callback();
  expect(await wire.rest()).toHaveLength(0);
  await until(() => proxy.stats.connected === 0);
  expect(proxy.stats.refused.timeout).toBe(2);
  expect(stack.emulator.stats.connections).toBe(before);
});

test('a flood of strangers is bounded, costs the server nothing, and the others go on', async () => {
  const site = await startSite(stack, { maxUnauthenticated: 20 });
  await ask(site.config);
  const before = stack.emulator.stats.connections;
  const strangers = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const socket = connect({ host: site.config.host as string, port: site.config.port as number });
      socket.on('error', () => {}).resume();
      onTestFinished(() => void socket.destroy());
      await once(socket, 'connect');
      return socket;
    }),
  );
  await until(() => strangers.filter(({ closed }) => closed).length === 80);
  expect(site.proxy.stats.connected).toBe(20);
  expect(stack.emulator.stats.connections).toBe(before);
  expect(await ask(site.config)).toHaveLength(1);
  expect(site.proxy.stats.refused['crowded-out']).toBe(81);
});

test('what breaks the protocol is refused in the words of MySQL', async () => {
  const site = await startSite(stack);
  for (const [bytes, code] of [
    [Buffer.from('GET / HTTP/1.1\r\n\r\n'), 1043],
    [encodePacket(1, Buffer.from([1])), 1043],
    [encodePacket(3, Buffer.alloc(40)), 1043],
    [Buffer.from([0xff, 0xff, 0xff, 1]), 1043],
  ] as const) {
    const wire = await Wire.open(site);
    wire.socket.write(bytes);
    expect(decodeError((await wire.rest()).subarray(4)).code).toBe(code);
    wire.socket.end();
  }
  await until(() => site.proxy.stats.connected === 0);
  expect(site.proxy.stats.refused.protocol).toBe(4);
});

// The same with more runs, and without sockets, is in fuzz.test.ts.
test('whatever a client sends, the proxy goes on', async () => {
  const site = await startSite(stack);
  await ask(site.config);
  const chunk = fc.uint8Array({ maxLength: 120 });
  await fc.assert(
    fc.asyncProperty(fc.array(chunk, { maxLength: 4 }), fc.boolean(), fc.boolean(), async (chunks, framed, knows) => {
      const socket = connect({ host: site.config.host as string, port: site.config.port as number });
      const wire = new Wire(socket);
      wire.greeting = decodeGreeting(await wire.channel.read(1000));
      if (knows) wire.channel.write(wire.response(site));
      for (const bytes of chunks) framed ? wire.channel.write(Buffer.from(bytes)) : socket.write(bytes);
      socket.end();
      await wire.rest();
      socket.destroy();
    }),
    { numRuns: 100 },
  );
  await until(() => site.proxy.stats.connected === 0);
  expect(site.proxy.stats.refused.internal).toBe(0);
  expect(await ask(site.config)).toHaveLength(1);
});
