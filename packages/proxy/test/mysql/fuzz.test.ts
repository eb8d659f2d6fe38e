import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { isConnectionEnded, isProtocolError } from '@rds-iam/wire';
import {
  Capability,
  Command,
  CommandTracker,
  cachingSha2Password,
  decodeGreeting,
  encodeHandshakeResponse,
  encodePacket,
  HEADER_BYTES,
  Plugin,
  Reply,
} from '@rds-iam/wire/mysql';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Client } from '../../src/client.js';
import type { Door } from '../../src/engine.js';
import { isKill, withServerId } from '../../src/mysql/kill.js';
import { createMysql } from '../../src/mysql/mysql.js';
import { ThreadIds } from '../../src/mysql/thread-ids.js';
import { Refusal, refusalFor } from '../../src/refusal.js';
import { OPEN_DOOR } from '../open-door.js';

/** Set `FUZZ_RUNS=1000000` for more. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 500);
const target = { engine: 'mysql', hostname: 'localhost', port: 3306, username: 'app' } as const;

const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array));
const memberNames = ['toString', 'constructor', '__proto__', 'hasOwnProperty'];
const plugin = fc.oneof(fc.constantFrom(...Object.values(Plugin), ...memberNames), fc.string({ maxLength: 12 }));
const answers = fc.oneof(bytes, fc.constant(Buffer.from('[object Object]')), fc.constant(Buffer.alloc(0)));

/** A client's handshake response, as a payload. */
const response = fc
  .record({ capabilities: fc.integer({ min: 0, max: 0xffff_ffff }), plugin, authentication: answers })
  .map(({ capabilities, plugin: named, authentication }) =>
    encodeHandshakeResponse({
      capabilities: ((capabilities | Capability.protocol41 | Capability.secureConnection) & ~Capability.ssl) >>> 0,
      ...{ mariadbCapabilities: 0, maxPacketBytes: 1 << 24, characterSet: 45, username: 'app' },
      ...{ authentication, database: undefined, plugin: named, attributes: undefined, zstdLevel: undefined },
    }),
  );

/** A client's packets, in order or not, some with a changed byte, split into chunks. */
const said = fc.record({
  payloads: fc.array(fc.oneof(response, answers, bytes), { maxLength: 4 }),
  isInOrder: fc.boolean(),
  change: fc.option(fc.tuple(fc.nat(), fc.nat(255))),
  piece: fc.integer({ min: 1, max: 80 }),
  isRight: fc.nat(3).map((one) => one === 0),
});

test(`${RUNS} clients that send garbage: each is refused, none ends the process`, {
  timeout: 24 * 3_600_000,
}, async () => {
  const outcomes = { refused: 0, protocol: 0, left: 0, connects: 0 };
  const connects = new Refusal('internal', 'this one would be logged in');
  const reached: Door['connect'] = () => Promise.reject(connects);
  await fc.assert(
    fc.asyncProperty(said, async ({ payloads, isInOrder, change, piece, isRight }) => {
      // A stream in place of a socket: 10^6 connections would test the kernel, not the parsers.
      const stream = new PassThrough() as unknown as Socket;
      const written: Buffer[] = [];
      stream.write = ((chunk: Buffer) => written.push(chunk) > 0) as Socket['write'];
      const login = createMysql().startLogin(new Client(stream), {
        ...OPEN_DOOR,
        ...{ target, connect: reached, dial: () => stream },
      });
      const running = login.run();
      while (written.length === 0) await Promise.resolve();
      const { scramble } = decodeGreeting((written[0] as Buffer).subarray(HEADER_BYTES));
      const right = encodeHandshakeResponse({
        capabilities: Capability.protocol41 | Capability.secureConnection | Capability.pluginAuth,
        ...{ mariadbCapabilities: 0, maxPacketBytes: 1 << 24, characterSet: 45, username: 'app' },
        authentication: cachingSha2Password('secret', scramble),
        ...{ database: undefined, plugin: Plugin.cachingSha2Password, attributes: undefined, zstdLevel: undefined },
      });
      const all = Buffer.concat(
        (isRight ? [right] : payloads).map((payload, index) => encodePacket(isInOrder ? 2 * index + 1 : 7, payload)),
      );
      if (change && all.length > 0) all[change[0] % all.length] = change[1];
      for (let at = 0; at < all.length; at += piece) stream.push(all.subarray(at, at + piece));
      stream.push(null);
      try {
        await running;
        outcomes.left += 1;
      } catch (error) {
        if (error === connects) {
          outcomes.connects += 1;
          expect(isRight, 'it knows the password').toBe(true);
        } else if (isConnectionEnded(error)) outcomes.left += 1;
        else if (isProtocolError(error)) outcomes.protocol += 1;
        else if (error instanceof Refusal) outcomes.refused += 1;
        else throw error;
        stream.end = ((answer: Buffer) => written.push(answer)) as unknown as Socket['end'];
        login.refuse(refusalFor(error, target));
        expect(written.at(-1)?.[HEADER_BYTES]).toBe(Reply.error);
      }
    }),
    { numRuns: RUNS },
  );
  // Every refusal was reached, and nobody got in without the password.
  for (const [outcome, times] of Object.entries(outcomes)) expect(times, outcome).toBeGreaterThan(0);
});

const command = fc
  .tuple(fc.constantFrom(...Object.values(Command), 0x19), fc.oneof(bytes, fc.constant(Buffer.from('kill 7'))))
  .map(([first, rest]) => encodePacket(0, Buffer.concat([Buffer.from([first]), rest])));

test(`${RUNS} sessions of commands and garbage: none throws, and no more bytes pass than have arrived`, {
  timeout: 24 * 3_600_000,
}, () => {
  const ids = new ThreadIds();
  ids.set(7, 3);
  fc.assert(
    fc.property(
      fc.array(fc.oneof(command, bytes), { maxLength: 5 }),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      fc.integer({ min: 1, max: 40 }),
      (commands, capabilities, piece) => {
        const all = Buffer.concat(commands);
        const holds = (start: Buffer, length: number) =>
          start[0] === Command.changeUser || isKill(start, length, capabilities);
        const tracker = new CommandTracker(holds);
        let passed = 0;
        for (let end = 0; end < all.length; ) {
          end = Math.min(end + piece, all.length);
          const scan = tracker.scan(all.subarray(passed, end));
          passed += scan.forward;
          expect(passed).toBeLessThanOrEqual(end);
          if (!scan.holds) continue;
          const held = all.subarray(passed + HEADER_BYTES, passed + HEADER_BYTES + all.readUIntLE(passed, 3));
          if (held[0] !== Command.changeUser) withServerId(held, capabilities, ids);
          return;
        }
      },
    ),
    { numRuns: RUNS },
  );
});
