import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { isConnectionEnded, isProtocolError } from '@rds-iam/wire';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Client } from '../src/client.js';
import type { Door } from '../src/engine.js';
import { createPostgres } from '../src/postgres/postgres.js';
import { Refusal, refusalFor } from '../src/refusal.js';
import { message, request, startup } from './harness.js';
import { OPEN_DOOR } from './open-door.js';

/** Set `FUZZ_RUNS=1000000` for more. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 2_000);
const target = { engine: 'postgres', hostname: 'localhost', port: 5432, username: 'app' } as const;

const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array));
const sound = fc.oneof(
  fc.constant(request((1234 << 16) | 5679)),
  fc.constant(request((1234 << 16) | 5680)),
  fc
    .dictionary(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }))
    .map((parameters) => startup({ user: 'app', ...parameters })),
  bytes.map((key) => request((1234 << 16) | 5678, key)),
  bytes.map((body) => message('p', body)),
  fc.constant(Buffer.concat([startup({ user: 'app' }), message('p', 'wrong\0')])),
  fc.string({ maxLength: 40 }).map((first) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(Buffer.byteLength(first));
    return message('p', Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), length, Buffer.from(first)]));
  }),
  fc.constant(message('p', Buffer.from('SCRAM-SHA-256\0\0\0\0\x12n,,n=,r=clientnonce'))),
  bytes,
);

/** Valid messages, some with a changed byte, split into chunks. */
const said = fc.tuple(
  fc.array(sound, { maxLength: 5 }),
  fc.option(fc.tuple(fc.nat(), fc.nat(255))),
  fc.integer({ min: 1, max: 50 }),
);

test(`${RUNS} clients that send garbage: each is refused, none ends the process`, {
  timeout: 3_600_000,
}, async () => {
  const engines = [
    createPostgres('secret', 'scram-sha-256'),
    createPostgres('secret', 'password'),
    createPostgres(undefined, undefined),
  ];
  const outcomes = { refused: 0, protocol: 0, left: 0, connects: 0 };
  const connects = new Refusal('internal', 'this one would be logged in');
  const reached: Door['connect'] = () => Promise.reject(connects);
  await fc.assert(
    fc.asyncProperty(said, fc.nat(engines.length - 1), async ([messages, change, piece], which) => {
      const all = Buffer.concat(messages);
      if (change && all.length > 0) all[change[0] % all.length] = change[1];
      // A stream in place of a socket: 10^6 connections would test the kernel, not the parsers.
      const stream = new PassThrough() as unknown as Socket;
      const written: Buffer[] = [];
      stream.write = ((chunk: Buffer) => written.push(chunk) > 0) as Socket['write'];
      const client = new Client(stream);
      const login = engines[which]?.startLogin(client, {
        ...OPEN_DOOR,
        ...{ target, connect: reached, dial: () => stream },
      });
      const running = login?.run();
      for (let at = 0; at < all.length; at += piece) stream.push(all.subarray(at, at + piece));
      stream.push(null);
      try {
        await running;
        outcomes.left += 1;
      } catch (error) {
        if (error === connects) outcomes.connects += 1;
        else if (isConnectionEnded(error)) outcomes.left += 1;
        else if (isProtocolError(error)) outcomes.protocol += 1;
        else if (error instanceof Refusal) outcomes.refused += 1;
        else throw error;
        stream.end = ((answer: Buffer) => written.push(answer)) as unknown as Socket['end'];
        login?.refuse(refusalFor(error, target));
        expect(written.at(-1)?.toString('latin1', 0, 1)).toBe('E');
      }
    }),
    { numRuns: RUNS },
  );
  // Every refusal was reached, and nobody got in without the password.
  for (const [outcome, times] of Object.entries(outcomes)) expect(times, outcome).toBeGreaterThan(0);
});
