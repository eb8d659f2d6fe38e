import { connect } from 'node:net';
import { type Stack, startStack } from '@rds-iam/conformance';
import { decodeError, decodeGreeting, encodePacket } from '@rds-iam/wire/mysql';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeFaults } from '../faults.js';
import { until } from '../harness.js';
import { ask, startSite, Wire } from './harness.js';
import { mysql } from './mysql.js';

describeFaults(mysql);

describe('a client that does not speak MySQL', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack('mysql');
  });
  afterAll(() => stack[Symbol.asyncDispose]());

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
});
