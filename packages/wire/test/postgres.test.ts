import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader } from '../src/index.js';
import {
  Authentication,
  decodeAuthentication,
  decodeErrorFields,
  decodeFirstPacket,
  decodePassword,
  decodeSaslInitial,
  ErrorField,
  encodeAuthentication,
  encodeErrorResponse,
  encodeFirstPacket,
  encodeMessage,
  encodePassword,
  encodeSaslInitial,
  MAX_STARTUP_BYTES,
  type Message,
  MessageAssembler,
  readFirstPacket,
  readMessage,
} from '../src/postgres.js';
import { bytes, cuts, latin1, pieces, RUNS, survives, text, uint } from './fuzz.js';

const only = (packet: Buffer): Message => {
  const assembler = new MessageAssembler(1 << 20);
  assembler.add(packet);
  const message = assembler.take();
  if (!message || assembler.buffered > 0) throw new Error('not one message');
  return message;
};
const startup = { version: 3 << 16, parameters: new Map([['user', 'app']]) };

describe('messages', () => {
  test('survive encoding and decoding, however they are split', () => {
    const messages = fc.array(fc.tuple(fc.constantFrom('R', 'p', 'E', 'Q'), bytes()), { maxLength: 5 });
    fc.assert(
      fc.property(messages, cuts, (sent, cutAt) => {
        const assembler = new MessageAssembler(300);
        const got: Array<[string, Buffer]> = [];
        for (const piece of pieces(Buffer.concat(sent.map(([type, body]) => encodeMessage(type, body))), cutAt)) {
          assembler.add(piece);
          for (let next = assembler.take(); next; next = assembler.take())
            got.push([next.type, Buffer.from(next.body)]);
        }
        expect(got).toEqual(sent);
        expect(assembler.buffered).toBe(0);
      }),
      { numRuns: RUNS },
    );
  });

  test.each([
    ['a length below that of the length itself', 3],
    ['a body over the maximum', 105],
  ])('%s is refused before any of it has arrived', (_what, length) => {
    const assembler = new MessageAssembler(100);
    assembler.add(Buffer.from([0x52, 0, 0, 0, length]));
    expect(() => assembler.take()).toThrow(expect.objectContaining({ name: 'ProtocolError', kind: 'length' }));
  });

  test('the rest stays for the next reader', () => {
    const assembler = new MessageAssembler(100);
    assembler.add(Buffer.concat([encodePassword('x'), Buffer.from('rest')]));
    expect(assembler.take()?.type).toBe('p');
    expect(assembler.takeRest().toString()).toBe('rest');
    expect(assembler.takeRest()).toHaveLength(0);
  });
});

describe('from a stream', () => {
  const endless = (start: string, length: number) => {
    const stream = new PassThrough();
    const header = Buffer.from(start);
    header.writeUInt32BE(length, header.length - 4);
    stream.write(header);
    return { stream, reader: new ByteReader(stream) };
  };

  test.each([0, 3, 105, 0x7fffffff, 0xffffffff])(
    'a length of %d is refused before any of it has arrived',
    async (length) => {
      const reading = readMessage(endless('p\0\0\0\0', length).reader, 100);
      await expect(reading).rejects.toMatchObject({ kind: 'length' });
    },
  );

  test.each([0, 3, 7, MAX_STARTUP_BYTES + 5, 0xffffffff])('so is a first packet of %d bytes', async (length) => {
    await expect(readFirstPacket(endless('\0\0\0\0', length).reader)).rejects.toMatchObject({ kind: 'length' });
  });

  test('the first byte of a first packet may have been read already', async () => {
    const { stream, reader } = endless('\0\0\0\0', 8);
    stream.write(encodeFirstPacket({ kind: 'ssl' }).subarray(4));
    expect(await readFirstPacket(reader, await reader.read(1))).toEqual({ kind: 'ssl' });
  });

  test('an endless sender is slowed down', async () => {
    const { stream, reader } = endless('p\0\0\0\0', 65_539);
    const message = readMessage(reader, 65_535);
    for (let sent = 0; stream.write(Buffer.alloc(1024)) && sent < 10_000; sent += 1) await new Promise(setImmediate);
    expect((await message).body.length).toBe(65_535);
    expect(reader.buffered).toBeLessThan(2 * 65_535);
  });
});

describe('first packets', () => {
  const packets = fc.oneof(
    fc.constantFrom({ kind: 'ssl' as const }, { kind: 'gssenc' as const }),
    fc.record({
      kind: fc.constant('cancel' as const),
      processId: uint(32),
      key: bytes(256).filter((key) => key.length > 0),
    }),
    fc.record({
      kind: fc.constant('startup' as const),
      startup: fc.record({
        version: uint(16).map((minor) => (3 << 16) | minor),
        parameters: fc.array(fc.tuple(latin1.filter(Boolean), text())).map((pairs) => new Map(pairs)),
      }),
    }),
  );

  test('survive encoding and decoding', () => {
    fc.assert(
      fc.property(packets, cuts, (packet, cutAt) => {
        const assembler = new MessageAssembler(MAX_STARTUP_BYTES);
        const got: Buffer[] = [];
        for (const piece of pieces(encodeFirstPacket(packet), cutAt)) {
          assembler.add(piece);
          const taken = assembler.takeFirstPacket();
          if (taken) got.push(taken);
        }
        expect(got.map((taken) => decodeFirstPacket(taken.subarray(4)))).toEqual([packet]);
      }),
      { numRuns: RUNS },
    );
  });

  test.each([
    ['no terminator', Buffer.from([0, 3, 0, 0, 0x61, 0, 0x62, 0]), 'layout'],
    ['bytes after the terminator', Buffer.from([0, 3, 0, 0, 0, 0]), 'layout'],
    ['a name that is not UTF-8', Buffer.from([0, 3, 0, 0, 0xff, 0, 0x62, 0, 0]), 'encoding'],
    [
      'a request to cancel without a key',
      encodeFirstPacket({ kind: 'cancel', processId: 1, key: Buffer.alloc(0) }).subarray(4),
      'length',
    ],
    ['nothing', Buffer.alloc(0), 'length'],
  ])('%s is refused', (_what, body, kind) => {
    expect(() => decodeFirstPacket(body)).toThrow(expect.objectContaining({ kind }));
  });

  test('no input does more than break the protocol', () => {
    const like = [encodeFirstPacket({ kind: 'startup', startup }), encodeFirstPacket({ kind: 'ssl' })];
    survives(decodeFirstPacket, ...like.map((packet) => packet.subarray(4)));
  });
});

test('of another major version are not read any further', () => {
  expect(decodeFirstPacket(Buffer.from([0, 4, 0, 0, 0xff]))).toEqual({ kind: 'unsupported', version: 4 << 16 });
  expect(encodeFirstPacket({ kind: 'unsupported', version: 4 << 16 }).toString('hex')).toBe('0000000800040000');
});

describe('authentication', () => {
  test('requests, passwords and SASL survive encoding and decoding', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(Authentication)),
        bytes(),
        text(),
        latin1,
        (request, data, word, mechanism) => {
          expect(decodeAuthentication(only(encodeAuthentication(request, data)))).toEqual({ request, data });
          expect(decodePassword(only(encodePassword(word)).body)).toBe(word);
          const initial = { mechanism, data: word };
          expect(decodeSaslInitial(only(encodeSaslInitial(initial)).body)).toEqual(initial);
        },
      ),
      { numRuns: RUNS },
    );
  });

  test('another message is not a request', () => {
    expect(decodeAuthentication(only(encodePassword('x')))).toBeUndefined();
  });

  test.each([
    ['without its zero', 'abc'],
    ['with a zero in it', 'a\0b\0'],
    ['without a byte', ''],
  ])('a password %s is refused', (_what, body) => {
    expect(() => decodePassword(Buffer.from(body))).toThrow(expect.objectContaining({ kind: 'layout' }));
  });

  test('no input does more than break the protocol', () => {
    survives(decodePassword, only(encodePassword('secret')).body);
    survives(decodeSaslInitial, only(encodeSaslInitial({ mechanism: 'SCRAM-SHA-256', data: 'n,,n=,r=x' })).body);
    const authentication = encodeAuthentication(Authentication.sasl, Buffer.from('SCRAM-SHA-256\0\0'));
    survives((body) => decodeAuthentication({ type: 'R', body, bytes: body }), only(authentication).body);
  });
});

describe('errors', () => {
  test('survive encoding and decoding', () => {
    const fields = fc
      .array(fc.tuple(fc.constantFrom(...Object.values(ErrorField)), text()))
      .map((pairs) => new Map(pairs));
    fc.assert(
      fc.property(fields, (sent) => {
        expect(decodeErrorFields(only(encodeErrorResponse(sent)).body)).toEqual(sent);
      }),
      { numRuns: RUNS },
    );
  });

  test('a truncated one has the fields before the end', () => {
    expect(decodeErrorFields(Buffer.from('C28000\0Mno'))).toEqual(new Map([['C', '28000']]));
    survives(decodeErrorFields, Buffer.from('SFATAL\0C28000\0Mno\0\0'));
  });
});
