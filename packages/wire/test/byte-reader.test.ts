import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteQueue, ByteReader, isConnectionEnded } from '../src/index.js';
import { bytes, cuts, pieces, RUNS } from './fuzz.js';

test('a reader returns the requested bytes, and leaves the rest', async () => {
  await fc.assert(
    fc.asyncProperty(bytes(60), cuts, fc.array(fc.integer({ min: 1, max: 20 })), async (sent, cutAt, sizes) => {
      const stream = new PassThrough();
      for (const piece of pieces(sent, cutAt)) stream.write(piece);
      const reader = new ByteReader(stream);
      let at = 0;
      for (const size of sizes.filter((size) => size <= sent.length)) {
        if (at + size > sent.length) break;
        expect(await reader.read(size)).toEqual(sent.subarray(at, at + size));
        at += size;
      }
      reader.release();
      stream.end();
      const rest: Buffer[] = await stream.toArray();
      expect(Buffer.concat(rest)).toEqual(sent.subarray(at));
    }),
    { numRuns: Math.min(RUNS, 300) },
  );
});

test('a stream that ends early, with an error or without, ends the reading', async () => {
  const ended = new PassThrough();
  ended.end('abc');
  const failed = new PassThrough().on('error', () => {});
  const reading = [new ByteReader(ended).read(4), new ByteReader(failed).read(1)];
  const cause = new Error('reset');
  failed.destroy(cause);
  const [first, second] = await Promise.allSettled(reading);
  expect(first).toMatchObject({ status: 'rejected', reason: expect.not.objectContaining({ cause }) });
  expect(second).toMatchObject({ status: 'rejected', reason: { cause } });
  for (const one of [first, second]) expect(one?.status === 'rejected' && isConnectionEnded(one.reason)).toBe(true);
});

test('a queue joins chunks', () => {
  fc.assert(
    fc.property(bytes(60), cuts, fc.array(fc.nat({ max: 20 })), (sent, cutAt, sizes) => {
      const queue = new ByteQueue();
      for (const piece of pieces(sent, cutAt)) queue.add(piece);
      let at = 0;
      for (const size of sizes) {
        const fits = at + size <= sent.length;
        expect(queue.peek(size)).toEqual(fits ? sent.subarray(at, at + size) : undefined);
        expect(queue.take(size)).toEqual(fits ? sent.subarray(at, at + size) : undefined);
        if (fits) at += size;
        expect(queue.length).toBe(sent.length - at);
      }
    }),
    { numRuns: RUNS },
  );
});
