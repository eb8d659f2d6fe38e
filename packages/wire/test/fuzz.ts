import fc from 'fast-check';
import { expect } from 'vitest';
import { isProtocolError } from '../src/index.js';

/** Splits bytes at the given numbers. */
export function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

export const cuts = fc.array(fc.nat(), { maxLength: 8 });
export const bytes = (maxLength = 300) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
/** Text without a null character. */
export const text = (maxLength = 40) =>
  fc.string({ maxLength, unit: 'grapheme' }).map((string) => string.replaceAll('\0', ''));
export const latin1 = fc.string({ maxLength: 30 }).map((string) => string.replace(/[^\x20-\x7e]/g, ''));
export const uint = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 });

/** Whatever its input, a decoder returns or throws a ProtocolError. */
export function survives(decode: (bytes: Buffer) => unknown, ...like: Buffer[]): void {
  const mutated = fc
    .tuple(fc.constantFrom(...like), fc.array(fc.tuple(fc.nat(), uint(8)), { maxLength: 6 }), fc.nat())
    .map(([original, changes, end]) => {
      const copy = Buffer.from(original);
      for (const [at, value] of changes) copy[at % copy.length] = value;
      return copy.subarray(0, 1 + (end % copy.length));
    });
  fc.assert(
    fc.property(fc.oneof(bytes(), mutated), (input) => {
      try {
        decode(input);
      } catch (error) {
        expect(isProtocolError(error), String(error)).toBe(true);
      }
    }),
    { numRuns: RUNS },
  );
}

/** How often each property is tried. Set `FUZZ_RUNS=1000000` if you have the time. */
export const RUNS = Number(process.env['FUZZ_RUNS'] ?? 150);
