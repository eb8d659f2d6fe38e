import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, ConnectionEnded } from '../src/bytes.js';
import { encodeMessage } from '../src/postgres/message.js';
import {
  encodeAuthentication,
  encodePassword,
  encodeSaslInitial,
  encodeSslRequest,
  encodeStartup,
  MAX_PASSWORD_BYTES,
  MAX_STARTUP_BYTES,
  parseFirstPacket,
  parsePassword,
  parseSaslInitial,
} from '../src/postgres/protocol.js';
import { readFirstPacket, readMessage } from '../src/postgres/reader.js';
import { Refusal } from '../src/refusal.js';

const bytes = (maxLength = 300) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
/** Where to cut a stream of bytes into chunks. */
const cuts = fc.array(fc.nat(400), { maxLength: 8 });

/** A stream that gets `data` in the given pieces, then its end. */
function chunked(data: Buffer, at: readonly number[]): PassThrough {
  const stream = new PassThrough();
  let from = 0;
  for (const cut of [...at].sort((a, b) => a - b)) {
    if (cut > from && cut < data.length) {
      stream.write(data.subarray(from, cut));
      from = cut;
    }
  }
  stream.end(data.subarray(from));
  return stream;
}

const isOurs = (error: unknown) => error instanceof Refusal || error instanceof ConnectionEnded;
const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((value) => !value.includes('\0'));

describe('any bytes, in any chunks', () => {
  test('are a first packet or the protocol’s own error', async () => {
    const plausible = bytes().map((body) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(body.length + 4);
      return Buffer.concat([length, body]);
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(bytes(), plausible), bytes(20), cuts, async (packet, after, at) => {
        const reader = new ByteReader(chunked(Buffer.concat([packet, after]), at));
        try {
          await readFirstPacket(reader);
          // It has read the packet and nothing else: what follows is still there.
          const size = packet.readUInt32BE(0);
          const rest = Buffer.concat([packet, after]).subarray(size);
          if (rest.length > 0) expect(await reader.read(rest.length)).toEqual(rest);
          await expect(reader.read(1)).rejects.toThrow(ConnectionEnded);
        } catch (error) {
          if (!isOurs(error)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('are a message or the protocol’s own error', async () => {
    await fc.assert(
      fc.asyncProperty(bytes(), cuts, async (data, at) => {
        const reader = new ByteReader(chunked(data, at));
        try {
          for (let read = 0; ; ) {
            const message = await readMessage(reader, 100);
            expect(message.bytes).toEqual(data.subarray(read, read + message.bytes.length));
            expect(message.body.length).toBeLessThanOrEqual(100);
            read += message.bytes.length;
          }
        } catch (error) {
          if (!isOurs(error)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('are a body or the protocol’s own error', () => {
    fc.assert(
      fc.property(bytes(), fc.constantFrom(0, 80877102, 80877103, 80877104, 196608, 196610), (body, code) => {
        const start = Buffer.alloc(4);
        start.writeUInt32BE(code);
        for (const candidate of [Buffer.concat([start, body]), Buffer.concat([body, start])]) {
          try {
            parseFirstPacket(candidate);
            parsePassword('p', candidate);
          } catch (error) {
            if (!(error instanceof Refusal)) throw error;
          }
          parseSaslInitial(candidate);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a length that is too large is refused before anything of it is stored', () => {
  test.each([0, 3, 7, MAX_STARTUP_BYTES + 5, 0x7fffffff, 0xffffffff])('startup of %d bytes', async (size) => {
    const stream = new PassThrough();
    const length = Buffer.alloc(4);
    length.writeUInt32BE(size);
    stream.write(length);
    await expect(readFirstPacket(new ByteReader(stream))).rejects.toThrow(Refusal);
  });

  test.each([0, 3, MAX_PASSWORD_BYTES + 5, 0x7fffffff, 0xffffffff])('message of %d bytes', async (size) => {
    const stream = new PassThrough();
    const header = Buffer.from('p\0\0\0\0');
    header.writeUInt32BE(size, 1);
    stream.write(header);
    await expect(readMessage(new ByteReader(stream), MAX_PASSWORD_BYTES)).rejects.toThrow(Refusal);
  });

  test('an endless sender is held back', async () => {
    const stream = new PassThrough();
    const reader = new ByteReader(stream);
    const header = Buffer.from('p\0\0\0\0');
    header.writeUInt32BE(MAX_PASSWORD_BYTES + 4, 1);
    stream.write(header);
    const message = readMessage(reader, MAX_PASSWORD_BYTES);
    for (let sent = 0; stream.write(Buffer.alloc(1024)) && sent < 10_000; sent += 1) await new Promise(setImmediate);
    expect((await message).body.length).toBe(MAX_PASSWORD_BYTES);
    expect(reader.buffered).toBeLessThan(2 * MAX_PASSWORD_BYTES);
  });
});

describe('what is encoded reads back the same', () => {
  test('startup', async () => {
    const names = fc.dictionary(
      text,
      fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0')),
      {
        maxKeys: 8,
      },
    );
    await fc.assert(
      fc.asyncProperty(names, text, fc.nat(2), cuts, async (others, user, minor, at) => {
        const startup = {
          version: (3 << 16) | minor,
          parameters: new Map([...Object.entries(others), ['user', user] as const]),
        };
        const packet = await readFirstPacket(new ByteReader(chunked(encodeStartup(startup), at)));
        expect(packet).toEqual({ kind: 'startup', startup });
      }),
    );
  });

  test('password', async () => {
    await fc.assert(
      fc.asyncProperty(text, cuts, async (password, at) => {
        const { type, body } = await readMessage(new ByteReader(chunked(encodePassword(password), at)), 10_000);
        expect(parsePassword(type, body)).toBe(password);
      }),
    );
  });

  test('SASL’s first answer', () => {
    fc.assert(
      fc.property(text, fc.string({ unit: 'grapheme' }), (mechanism, data) => {
        expect(parseSaslInitial(encodeSaslInitial(mechanism, data).subarray(5))).toEqual({ mechanism, data });
      }),
    );
  });

  test('SSLRequest, authentication requests', async () => {
    expect(await readFirstPacket(new ByteReader(chunked(encodeSslRequest(), [])))).toEqual({ kind: 'ssl' });
    expect(encodeAuthentication(3).toString('hex')).toBe('520000000800000003');
    expect(encodeMessage('Z', Buffer.from('I')).toString('hex')).toBe('5a0000000549');
  });
});

test('a stream that has closed fails the read, before and during it', async () => {
  const stream = new PassThrough();
  const reader = new ByteReader(stream);
  const reading = reader.read(5);
  stream.write('abc');
  stream.destroy();
  await expect(reading).rejects.toThrow(ConnectionEnded);
  await expect(reader.read(1)).rejects.toThrow(ConnectionEnded);
});
