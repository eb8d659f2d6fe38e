import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, ConnectionEnded } from '../../src/bytes.js';
import { encodeChangeUser, parseChangeUser } from '../../src/mysql/change-user.js';
import { Channel } from '../../src/mysql/channel.js';
import { CommandTracker } from '../../src/mysql/commands.js';
import { Cursor, encodeLength } from '../../src/mysql/cursor.js';
import { offer, parseGreeting } from '../../src/mysql/greeting.js';
import {
  CARRIED_BY_MARIADB,
  Capability,
  COM_CHANGE_USER,
  encodeError,
  encodePacket,
  NOT_CARRIED,
  nulTerminated,
} from '../../src/mysql/protocol.js';
import { encodeResponse, encodeSslRequest, parseCapabilities, parseResponse } from '../../src/mysql/response.js';
import { cachingSha2Password, nativePassword } from '../../src/mysql/scrambles.js';
import { Refusal } from '../../src/refusal.js';
import { CAPABILITIES } from './harness.js';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const withoutZero = (maxLength: number) =>
  fc.array(fc.integer({ min: 1, max: 255 }), { maxLength }).map((array) => Buffer.from(array));
const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 32 }).filter((text) => !/[\0']/.test(text));
const plugin = fc.stringMatching(/^[a-z0-9_]{0,30}$/);

/** What a MySQL and a MariaDB really said. */
const GREETINGS = {
  mysql: Buffer.from(
    '0a382e302e34362d307562756e7475302e32322e30342e3500090000001' +
      '43c171d581b392e00ffffff0200ffdf15000000000000000000001773371722614938' +
      '0f08085b0063616368696e675f736861325f70617373776f726400',
    'hex',
  ),
  mariadb: Buffer.concat([
    Buffer.from('\n5.5.5-10.11.19-MariaDB-0+deb12u1\0\x05\0\0\0fv@wY9N[\0\xfe\xff\x08\x02\0\xff\x81\x15', 'latin1'),
    Buffer.from([0, 0, 0, 0, 0, 0, 0x1d, 0, 0, 0]),
    Buffer.from('`PP"Tbp.3R\'i\0mysql_native_password\0'),
  ]),
};

describe('a greeting', () => {
  test('of MySQL 8.0', () => {
    const greeting = parseGreeting(GREETINGS.mysql);
    expect(greeting).toMatchObject({
      capabilities: 0xdfffffff,
      mariadbCapabilities: 0,
      plugin: 'caching_sha2_password',
    });
    expect(greeting?.scramble.toString('hex')).toBe('143c171d581b392e1773371722614938' + '0f08085b');
  });

  test('of MariaDB 10.11, which has flags of its own', () => {
    const greeting = parseGreeting(GREETINGS.mariadb);
    expect(greeting).toMatchObject({
      capabilities: 0x81fffffe,
      mariadbCapabilities: 0x1d,
      plugin: 'mysql_native_password',
    });
    expect(greeting?.scramble.toString()).toBe('fv@wY9N[`PP"Tbp.3R\'i');
  });

  test.each(Object.entries(GREETINGS))('of %s is passed on with nothing but other flags', (_name, payload) => {
    const greeting = parseGreeting(payload);
    if (!greeting) throw new Error('none');
    for (const tls of [false, true]) {
      const offered = offer(greeting, tls);
      const again = parseGreeting(offered.payload);
      expect(again).toMatchObject({ scramble: greeting.scramble, plugin: greeting.plugin, at: greeting.at });
      expect(again?.capabilities).toBe(offered.capabilities);
      expect(offered.capabilities & NOT_CARRIED).toBe(0);
      expect(Boolean(offered.capabilities & Capability.ssl)).toBe(tls);
      expect(again?.mariadbCapabilities).toBe(greeting.mariadbCapabilities & CARRIED_BY_MARIADB);
      const differing = [...payload].filter((byte, index) => byte !== offered.payload[index]);
      expect(differing.length).toBeLessThanOrEqual(5);
    }
  });

  test('that is none is refused, or undefined, and nothing else', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          bytes(100),
          fc.nat(90).map((end) => GREETINGS.mysql.subarray(0, end)),
        ),
        (payload) => {
          try {
            parseGreeting(payload);
          } catch (error) {
            expect(error).toBeInstanceOf(Refusal);
          }
        },
      ),
    );
  });
});

describe('a response', () => {
  const offered = {
    capabilities: 0xffffffff & ~NOT_CARRIED,
    mariadbCapabilities: CARRIED_BY_MARIADB,
    payload: Buffer.alloc(0),
  };
  const anyResponse = fc
    .record({
      extra: fc.nat(0x7fffffff),
      mariadbCapabilities: fc.nat(0xff),
      maxPacketBytes: fc.nat(0x7fffffff),
      characterSet: fc.nat(255),
      username: name,
      authentication: bytes(250),
      database: withoutZero(64),
      plugin,
      attributes: bytes(70_000),
    })
    .map(({ extra, ...rest }) => {
      const capabilities = ((extra | CAPABILITIES) & ~NOT_CARRIED) >>> 0;
      return {
        ...rest,
        capabilities,
        mariadbCapabilities: capabilities & Capability.mysql ? 0 : rest.mariadbCapabilities & CARRIED_BY_MARIADB,
        database: capabilities & Capability.connectWithDb ? rest.database : undefined,
        attributes: capabilities & Capability.connectAttrs ? rest.attributes : undefined,
      };
    });

  test('is read as it was written', () => {
    fc.assert(
      fc.property(anyResponse, (response) => {
        expect(parseResponse(encodeResponse(response), offered)).toEqual(response);
        expect(parseCapabilities(encodeSslRequest(response))).toBe(response.capabilities);
      }),
    );
  });

  test('that is cut off, or none, is refused, and nothing else', () => {
    fc.assert(
      fc.property(anyResponse, fc.nat(400), bytes(100), (response, end, garbage) => {
        for (const payload of [encodeResponse(response).subarray(0, end), garbage]) {
          try {
            parseResponse(payload, offered);
          } catch (error) {
            expect(error).toBeInstanceOf(Refusal);
          }
        }
      }),
    );
  });

  test('has no capability that was not offered', () => {
    const modest = { ...offered, capabilities: CAPABILITIES };
    const bold = encodeResponse({
      capabilities: 0xffffffff,
      mariadbCapabilities: 0xff,
      maxPacketBytes: 0,
      characterSet: 0,
      username: 'app',
      authentication: Buffer.alloc(0),
      database: Buffer.from('shop'),
      plugin: 'x',
      attributes: Buffer.alloc(5),
    });
    expect(parseResponse(bold, modest)).toMatchObject({
      capabilities: CAPABILITIES,
      mariadbCapabilities: 0,
      database: Buffer.from('shop'),
      attributes: undefined,
    });
  });

  test('with a name that is not UTF-8 is refused', () => {
    const head = encodeSslRequest({ capabilities: CAPABILITIES } as never);
    expect(() => parseResponse(Buffer.concat([head, Buffer.from([0xff, 0, 0, 0, 0])]), offered)).toThrow(Refusal);
  });
});

describe('COM_CHANGE_USER', () => {
  const anyChange = fc.record({
    username: name,
    authentication: bytes(255),
    database: withoutZero(64),
    characterSet: fc.uint8Array({ minLength: 2, maxLength: 2 }).map((array) => Buffer.from(array)),
    plugin,
    rest: bytes(300),
  });

  test('is read as it was written', () => {
    fc.assert(
      fc.property(anyChange, (change) => {
        expect(parseChangeUser(encodeChangeUser(change))).toEqual(change);
      }),
    );
    const short = { username: 'app', authentication: Buffer.alloc(20), database: Buffer.alloc(0), plugin: '' };
    const change = { ...short, characterSet: undefined, rest: Buffer.alloc(0) };
    expect(parseChangeUser(encodeChangeUser(change))).toEqual(change);
  });

  test('that is cut off, or none, is refused, and nothing else', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          bytes(100),
          fc.tuple(anyChange, fc.nat(100)).map(([change, end]) => encodeChangeUser(change).subarray(0, end)),
        ),
        (payload) => {
          try {
            parseChangeUser(payload);
          } catch (error) {
            expect(error).toBeInstanceOf(Refusal);
          }
        },
      ),
    );
  });
});

describe('the tracker of commands', () => {
  /** Commands as packets, the long ones in parts of `limit` bytes: the real one would need 16 MB. */
  const command = fc.tuple(fc.nat(255), bytes(40)).map(([first, rest]) => Buffer.concat([Buffer.from([first]), rest]));

  test('finds each COM_CHANGE_USER, and nothing else, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(command, fc.constant(Buffer.alloc(0))), { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        (commands, cuts) => {
          const stream = Buffer.concat(commands.map((payload) => encodePacket(0, payload)));
          let wanted = -1;
          for (let at = 0, index = 0; index < commands.length && wanted === -1; index += 1) {
            if (commands[index]?.[0] === COM_CHANGE_USER) wanted = at;
            at += 4 + (commands[index]?.length ?? 0);
          }
          const tracker = new CommandTracker();
          let held: Buffer = Buffer.alloc(0);
          let [forwarded, found] = [0, -1];
          for (let at = 0, cut = 0; at < stream.length && found === -1; cut += 1) {
            const size = cuts[cut % cuts.length] ?? 1;
            const shown = Buffer.concat([held, stream.subarray(at, at + size)]);
            at += size;
            const scan = tracker.scan(shown);
            forwarded += scan.forward;
            held = shown.subarray(scan.forward);
            if (scan.changesUser) found = forwarded;
            else expect(held.length).toBeLessThanOrEqual(4);
          }
          expect(found).toBe(wanted);
          if (found === -1) expect(forwarded + held.length).toBe(stream.length);
        },
      ),
    );
  });

  test('knows what goes on from what begins', () => {
    const full = Buffer.alloc(4 + 0xffffff);
    full.writeUIntLE(0xffffff, 0, 3);
    full[4] = 0x03;
    const change = encodePacket(1, Buffer.from([COM_CHANGE_USER, 1, 2]));
    const tracker = new CommandTracker();
    const stream = Buffer.concat([full, change, change]);
    expect(tracker.scan(stream)).toEqual({ forward: full.length + change.length, changesUser: true });
    const empty = Buffer.concat([full, Buffer.from([0, 0, 0, 1]), change]);
    expect(new CommandTracker().scan(empty)).toEqual({ forward: full.length + 4, changesUser: true });
  });
});

describe('packets', () => {
  function channel(...chunks: Buffer[]): Channel {
    const stream = new PassThrough();
    for (const chunk of chunks) stream.write(chunk);
    return new Channel({ stream: stream as never, reader: new ByteReader(stream) });
  }

  test('are read by their numbers, which begin again after 255', async () => {
    const end = channel(...Array.from({ length: 300 }, (_, index) => encodePacket(index, Buffer.from([index & 0xff]))));
    for (let index = 0; index < 300; index += 1) expect(await end.read(10)).toEqual(Buffer.from([index & 0xff]));
  });

  test('that are too long are refused before anything of them is stored', async () => {
    await expect(channel(Buffer.from([11, 0, 0, 0])).read(10)).rejects.toThrow(Refusal);
    await expect(channel(Buffer.from([0xff, 0xff, 0xff, 0])).read(10)).rejects.toThrow(Refusal);
  });

  test('with another number are refused', async () => {
    await expect(channel(encodePacket(1, Buffer.from('x'))).read(10)).rejects.toThrow(Refusal);
  });

  test('readSome takes what there is', async () => {
    const stream = new PassThrough();
    const reader = new ByteReader(stream);
    const reading = reader.readSome();
    stream.write('abc');
    expect((await reading).toString()).toBe('abc');
    stream.end();
    await expect(reader.readSome()).rejects.toThrow(ConnectionEnded);
  });

  test('an error’s bytes', () => {
    const error = { code: 1045, sqlState: '28000', message: 'no' };
    expect(encodeError(error).toString('latin1')).toBe('\xff\x15\x04#28000no');
    expect(encodeError({ ...error, sqlState: '' }).toString('latin1')).toBe('\xff\x15\x04no');
  });

  test('lengths', () => {
    fc.assert(
      fc.property(fc.nat(0xffffff), (length) => {
        const cursor = new Cursor(encodeLength(length));
        expect(cursor.lengthEncoded()).toBe(length);
        expect(cursor.left).toBe(0);
      }),
    );
    for (const none of [0xfb, 0xfe, 0xff])
      expect(() => new Cursor(Buffer.alloc(9, none)).lengthEncoded()).toThrow(Refusal);
    expect(() => new Cursor(nulTerminated('abc').subarray(0, 3)).untilZero()).toThrow(Refusal);
  });
});

// Worked out with Python's hashlib from the formulas in MySQL's documentation.
test('scrambles', () => {
  const scramble = Buffer.from('0123456789abcdefghij');
  expect(nativePassword('secret', scramble).toString('hex')).toBe('f5cac3f3b3df2133feb57db682c71e6ed433a988');
  expect(cachingSha2Password('secret', scramble).toString('hex')).toBe(
    '7e4adda2f2d5ef09b4147518becb0cee2939376203650a8c2bb2815959364bd0',
  );
  for (const proof of [nativePassword, cachingSha2Password]) expect(proof('', scramble)).toHaveLength(0);
});
