import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isCancelRequest,
  MessageAssembler,
  MessageReader,
  passwordMessage,
  SSL_REQUEST,
  serverError,
  typeOf,
} from '../../src/postgres-js/messages.js';

const MAX_LENGTH = 262_144;

function message(type: string, body: Uint8Array): Buffer {
  const header = Buffer.from(`${type}\0\0\0\0`);
  header.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([header, body]);
}

/** Bytes cut into pieces at these places, as a network might. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

const messages = fc.array(
  fc.record({ type: fc.constantFrom('R', 'E', 'S', 'K', 'Z', 'N'), body: fc.uint8Array({ maxLength: 300 }) }),
  { maxLength: 10 },
);
const cuts = fc.array(fc.nat(), { maxLength: 20 });

describe('messages', () => {
  test('come out as they were sent, however they are cut', () => {
    fc.assert(
      fc.property(messages, cuts, fc.uint8Array({ maxLength: 4 }), (sent, cuts, rest) => {
        const expected = sent.map(({ type, body }) => message(type, body));
        const assembler = new MessageAssembler();
        const taken: Buffer[] = [];
        for (const piece of pieces(Buffer.concat([...expected, rest]), cuts)) {
          assembler.add(piece);
          for (let next = assembler.takeMessage(); next; next = assembler.takeMessage()) taken.push(next);
        }
        expect(taken).toEqual(expected);
        expect(assembler.takeRest()).toEqual(Buffer.from(rest));
      }),
    );
  });

  test('of any bytes are messages or an error, and what is kept has a limit', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (chunks) => {
        const assembler = new MessageAssembler();
        try {
          for (const chunk of chunks) {
            assembler.add(Buffer.from(chunk));
            for (let next = assembler.takeMessage(); next; next = assembler.takeMessage()) {
              expect(next.length).toBeLessThanOrEqual(MAX_LENGTH);
              expect(serverError(next).message).toBeTypeOf('string');
            }
          }
        } catch (error) {
          expect(error).toMatchObject({ kind: 'protocol-violated' });
        }
      }),
    );
  });

  test('that are too long are refused by their length, before they arrive', () => {
    const assembler = new MessageAssembler();
    assembler.add(Buffer.from([0x45, 0xff, 0xff, 0xff, 0xff]));
    expect(() => assembler.takeMessage()).toThrow(/a message of 4294967295 bytes/);
  });

  test('without end are refused', () => {
    const assembler = new MessageAssembler();
    const notice = message('N', Buffer.alloc(1_000));
    expect(() => {
      for (let sent = 0; sent < MAX_LENGTH + notice.length; sent += notice.length) {
        assembler.add(notice);
        assembler.takeMessage();
      }
    }).toThrow(/not the login of a PostgreSQL server/);
  });

  test('are read from a stream one by one, and what follows is left to the next', async () => {
    await fc.assert(
      fc.asyncProperty(messages, cuts, async (sent, cuts) => {
        const expected = sent.map(({ type, body }) => message(type, body));
        const stream = new PassThrough();
        const reader = new MessageReader(stream);
        for (const piece of pieces(Buffer.concat([Buffer.from('S'), ...expected, Buffer.from('rest')]), cuts)) {
          stream.write(piece);
        }
        stream.end();
        expect(await reader.nextByte()).toBe('S');
        for (const one of expected) expect(await reader.nextMessage()).toEqual(one);
        // Not a message yet, and never one.
        await expect(reader.nextMessage()).rejects.toMatchObject({ kind: 'connection-lost' });
        expect(reader.release().toString()).toBe('rest');
      }),
      { numRuns: 30 },
    );
  });
});

test('an ErrorResponse becomes an error with the fields of the driver, whatever is in it', () => {
  const body = 'SFATAL\0VFATAL\0C28000\0MPAM authentication failed for user "app"\0Fauth.c\0L321\0Rauth_failed\0\0';
  const error = serverError(message('E', Buffer.from(body)));
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: 'PostgresError',
    message: 'PAM authentication failed for user "app"',
    code: '28000',
    severity: 'FATAL',
    file: 'auth.c',
    line: '321',
    routine: 'auth_failed',
  });
  expect(serverError(message('E', Buffer.from('?x\0')))).toMatchObject({ message: 'the server gave no reason' });
});

test('the bytes of what is sent', () => {
  expect(passwordMessage('secret')).toEqual(message('p', Buffer.from('secret\0')));
  expect(typeOf(passwordMessage('secret'))).toBe('p');
  expect(SSL_REQUEST.readUInt32BE(4)).toBe(80_877_103);
  expect(isCancelRequest(SSL_REQUEST)).toBe(false);
  expect(isCancelRequest(Buffer.from('0000001004d22e160000000000000000', 'hex'))).toBe(false);
  expect(isCancelRequest(Buffer.from('0000001004d2162e0000000000000000', 'hex'))).toBe(true);
});
