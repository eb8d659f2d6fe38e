import { constants, generateKeyPairSync, privateDecrypt } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader } from '../src/index.js';
import { Cursor, lengthEncoded } from '../src/mysql/cursor.js';
import {
  Capability,
  Channel,
  Command,
  CommandTracker,
  CompressedTracker,
  cachingSha2Password,
  decodeAuthSwitch,
  decodeChangeUser,
  decodeError,
  decodeGreeting,
  decodeHandshakeResponse,
  encodeAuthSwitch,
  encodeChangeUser,
  encodeError,
  encodeFrame,
  encodeGreeting,
  encodeHandshakeResponse,
  encodePacket,
  encodeSslRequest,
  encryptPassword,
  type Greeting,
  type HandshakeResponse,
  MAX_PAYLOAD_BYTES,
  nativePassword,
  PacketAssembler,
  Plugin,
} from '../src/mysql.js';
import { bytes, cuts, latin1, pieces, RUNS, survives, text, uint } from './fuzz.js';

const scrambles = fc.uint8Array({ minLength: 20, maxLength: 20 }).map((array) => Buffer.from(array));
const flags = fc
  .uniqueArray(fc.constantFrom(...Object.values(Capability)))
  .map((set) => set.reduce((all, flag) => all | flag, Capability.protocol41) >>> 0);
const has = (capabilities: number, flag: number) => (capabilities & flag) !== 0;

const greeting: Greeting = {
  serverVersion: '8.4.0',
  connectionId: 7,
  scramble: Buffer.from('01234567890123456789'),
  capabilities: (Capability.mysql | Capability.protocol41 | Capability.secureConnection | Capability.pluginAuth) >>> 0,
  mariadbCapabilities: 0,
  characterSet: 45,
  status: 2,
  plugin: Plugin.cachingSha2Password,
};
const response: HandshakeResponse = {
  capabilities: greeting.capabilities,
  mariadbCapabilities: 0,
  maxPacketBytes: 1 << 24,
  characterSet: 45,
  username: 'app',
  authentication: Buffer.alloc(20, 1),
  database: undefined,
  plugin: Plugin.nativePassword,
  attributes: undefined,
  zstdLevel: undefined,
};
const ALL = { capabilities: 0xffffffff, mariadbCapabilities: 0xffffffff };

describe('packets', () => {
  test('survive encoding and decoding, however they are split', () => {
    const packets = fc.array(fc.record({ sequence: uint(8), payload: bytes() }), { maxLength: 5 });
    fc.assert(
      fc.property(packets, cuts, (sent, cutAt) => {
        const assembler = new PacketAssembler(300);
        const got = [];
        for (const piece of pieces(Buffer.concat(sent.map((one) => encodePacket(one.sequence, one.payload))), cutAt)) {
          assembler.add(piece);
          for (let next = assembler.take(); next; next = assembler.take()) got.push(next);
        }
        expect(got).toEqual(sent);
        expect(assembler.buffered).toBe(0);
      }),
      { numRuns: RUNS },
    );
  });

  test('one over the maximum is refused before any of it has arrived', () => {
    const assembler = new PacketAssembler(100);
    assembler.add(Buffer.from([101, 0, 0, 0]));
    expect(() => assembler.take()).toThrow(expect.objectContaining({ name: 'ProtocolError', kind: 'length' }));
  });
});

describe('a channel', () => {
  const over = (...chunks: Buffer[]) => {
    const stream = new PassThrough();
    for (const chunk of chunks) stream.write(chunk);
    return new Channel({ stream, reader: new ByteReader(stream) });
  };

  test('checks sequence numbers, which start again after 255', async () => {
    const channel = over(...Array.from({ length: 300 }, (_, n) => encodePacket(n, Buffer.from([n & 0xff]))));
    for (let n = 0; n < 300; n += 1) expect(await channel.read(10)).toEqual(Buffer.from([n & 0xff]));
  });

  test('refuses a packet that is too long, before any of it has arrived, and one out of order', async () => {
    await expect(over(Buffer.from([11, 0, 0, 0])).read(10)).rejects.toMatchObject({ kind: 'length' });
    for (const second of [encodePacket(1, Buffer.from('x')), Buffer.from([0xff, 0xff, 0xff, 1])]) {
      await expect(over(second).read(10)).rejects.toMatchObject({ kind: 'sequence' });
    }
  });
});

describe('a greeting', () => {
  test('survives encoding and decoding', () => {
    const greetings = fc.record({
      serverVersion: latin1,
      connectionId: uint(32),
      scramble: scrambles,
      capabilities: flags,
      mariadbCapabilities: uint(32),
      characterSet: uint(8),
      status: uint(16),
      plugin: latin1,
    });
    fc.assert(
      fc.property(greetings, (sent) => {
        expect(decodeGreeting(encodeGreeting(sent))).toEqual({
          ...sent,
          mariadbCapabilities: has(sent.capabilities, Capability.mysql) ? 0 : sent.mariadbCapabilities,
          plugin: has(sent.capabilities, Capability.pluginAuth) ? sent.plugin : '',
        });
      }),
      { numRuns: RUNS },
    );
  });

  test('of another version is refused', () => {
    expect(() => decodeGreeting(Buffer.from([9, 0]))).toThrow(expect.objectContaining({ kind: 'version' }));
  });

  test('no input does more than break the protocol', () => survives(decodeGreeting, encodeGreeting(greeting)));
});

/** Recorded from a real MySQL and a real MariaDB. */
describe('the greeting of a real server', () => {
  test('MySQL 8.0', () => {
    const payload = Buffer.from(
      '0a382e302e34362d307562756e7475302e32322e30342e3500090000001' +
        '43c171d581b392e00ffffff0200ffdf15000000000000000000001773371722614938' +
        '0f08085b0063616368696e675f736861325f70617373776f726400',
      'hex',
    );
    expect(decodeGreeting(payload)).toEqual({
      serverVersion: '8.0.46-0ubuntu0.22.04.5',
      connectionId: 9,
      scramble: Buffer.from('143c171d581b392e17733717226149380f08085b', 'hex'),
      capabilities: 0xdfffffff,
      mariadbCapabilities: 0,
      characterSet: 255,
      status: 2,
      plugin: 'caching_sha2_password',
    });
    expect(encodeGreeting(decodeGreeting(payload))).toEqual(payload);
  });

  test('MariaDB 10.11, with flags of its own', () => {
    const payload = Buffer.concat([
      Buffer.from('\n5.5.5-10.11.19-MariaDB-0+deb12u1\0\x05\0\0\0fv@wY9N[\0\xfe\xff\x08\x02\0\xff\x81\x15', 'latin1'),
      Buffer.from([0, 0, 0, 0, 0, 0, 0x1d, 0, 0, 0]),
      Buffer.from('`PP"Tbp.3R\'i\0mysql_native_password\0'),
    ]);
    expect(decodeGreeting(payload)).toMatchObject({
      capabilities: 0x81fffffe,
      mariadbCapabilities: 0x1d,
      scramble: Buffer.from('fv@wY9N[`PP"Tbp.3R\'i'),
      plugin: 'mysql_native_password',
    });
    expect(encodeGreeting(decodeGreeting(payload))).toEqual(payload);
  });
});

describe('a handshake response', () => {
  test('survives encoding and decoding, with the fields that it announces', () => {
    const responses = fc.record({
      capabilities: flags,
      mariadbCapabilities: uint(32),
      maxPacketBytes: uint(32),
      characterSet: uint(8),
      username: text().filter((name) => !/^'.+'$/s.test(name)),
      authentication: fc.oneof(bytes(255), bytes(70_000)),
      database: bytes(40).map((name) => Buffer.from(name.filter((byte) => byte !== 0))),
      plugin: latin1,
      attributes: bytes(),
      zstdLevel: uint(8),
    });
    fc.assert(
      fc.property(responses, (sent) => {
        const can = (flag: number) => has(sent.capabilities, flag);
        // Within the limits of one-byte lengths and null-terminated strings.
        const limited = can(Capability.secureConnection)
          ? sent.authentication.subarray(0, 255)
          : Buffer.from(sent.authentication.filter((byte) => byte !== 0));
        const authentication = can(Capability.pluginAuthLenenc) ? sent.authentication : limited;
        expect(decodeHandshakeResponse(encodeHandshakeResponse({ ...sent, authentication }), ALL)).toEqual({
          ...sent,
          authentication,
          mariadbCapabilities: can(Capability.mysql) ? 0 : sent.mariadbCapabilities,
          database: can(Capability.connectWithDb) ? sent.database : undefined,
          plugin: can(Capability.pluginAuth) ? sent.plugin : '',
          attributes: can(Capability.connectAttrs) ? sent.attributes : undefined,
          zstdLevel: can(Capability.zstdCompression) ? sent.zstdLevel : undefined,
        });
      }),
      { numRuns: RUNS },
    );
  });

  test('has no capability that was not offered', () => {
    const sent = encodeHandshakeResponse({ ...response, capabilities: response.capabilities | Capability.localFiles });
    expect(decodeHandshakeResponse(sent, greeting).capabilities).toBe(response.capabilities);
  });

  test('begins with the request for TLS', () => {
    expect(encodeHandshakeResponse(response).subarray(0, 32)).toEqual(encodeSslRequest(response));
  });

  test.each([
    ['from before MySQL 4.1', { ...response, capabilities: 1 }, 'version'],
    ['with a truncated name', encodeHandshakeResponse(response).subarray(0, 34), 'layout'],
  ])('%s is refused', (_what, sent, kind) => {
    const packet = Buffer.isBuffer(sent) ? sent : encodeHandshakeResponse(sent);
    expect(() => decodeHandshakeResponse(packet, ALL)).toThrow(expect.objectContaining({ kind }));
  });

  test('a name that is not UTF-8 is refused', () => {
    const packet = encodeHandshakeResponse(response);
    packet[32] = 0xff;
    expect(() => decodeHandshakeResponse(packet, ALL)).toThrow(expect.objectContaining({ kind: 'encoding' }));
  });

  test('more than 255 bytes of authentication need a length that says so', () => {
    const token = { ...response, authentication: Buffer.alloc(1300) };
    expect(() => encodeHandshakeResponse(token)).toThrow(RangeError);
  });

  test('no input does more than break the protocol', () => {
    const all = { ...response, capabilities: 0xffffffff, attributes: Buffer.from('a=b') };
    survives((packet) => decodeHandshakeResponse(packet, ALL), encodeHandshakeResponse(all));
  });
});

describe('replies and commands', () => {
  test('survive encoding and decoding', () => {
    const reports = fc.record({
      code: uint(16),
      sqlState: fc.constantFrom('28000', 'HY000', '08S01'),
      message: text(),
    });
    const switches = fc.record({ plugin: latin1, data: bytes() });
    const changes = fc.record({
      username: text().filter((name) => !/^'.+'$/s.test(name)),
      authentication: bytes(255),
      database: bytes(40).map((name) => Buffer.from(name.filter((byte) => byte !== 0))),
      characterSet: uint(16),
      plugin: latin1,
      rest: bytes(),
    });
    fc.assert(
      fc.property(reports, switches, changes, (report, authSwitch, change) => {
        expect(decodeError(encodeError(report))).toEqual(report);
        expect(decodeAuthSwitch(encodeAuthSwitch(authSwitch))).toEqual(authSwitch);
        expect(decodeChangeUser(encodeChangeUser(change))).toEqual(change);
      }),
      { numRuns: RUNS },
    );
  });

  test('an error without SQLSTATE, as for clients from before MySQL 4.1', () => {
    const report = { code: 1040, sqlState: '', message: 'Too many connections' };
    expect(decodeError(encodeError(report))).toEqual(report);
  });

  test('a change of user may end before its last fields', () => {
    const sent = { username: 'a', authentication: Buffer.alloc(0), database: Buffer.from('d') };
    const missing = { characterSet: undefined, plugin: '', rest: Buffer.alloc(0) };
    expect(decodeChangeUser(encodeChangeUser({ ...sent, ...missing }))).toEqual({ ...sent, ...missing });
  });

  test('a request for the oldest method has one byte', () => {
    expect(decodeAuthSwitch(Buffer.from([0xfe]))?.plugin).toBe('mysql_old_password');
    expect(decodeAuthSwitch(Buffer.from([0x00, 0x01]))).toBeUndefined();
  });

  test('no input does more than break the protocol', () => {
    survives(decodeError, encodeError({ code: 1045, sqlState: '28000', message: 'no' }));
    survives(decodeAuthSwitch, encodeAuthSwitch({ plugin: Plugin.clearPassword, data: Buffer.alloc(0) }));
    survives(
      decodeChangeUser,
      encodeChangeUser({
        username: 'a',
        authentication: Buffer.alloc(3),
        database: Buffer.from('d'),
        characterSet: 45,
        plugin: 'x',
        rest: Buffer.alloc(2),
      }),
    );
  });
});

describe('following the commands of a client', () => {
  const query = encodePacket(0, Buffer.concat([Buffer.from([Command.query]), Buffer.from('select 1')]));
  const change = encodePacket(0, Buffer.from([Command.changeUser, 0x61, 0, 0, 0]));
  const whole = (sent: Buffer, cutAt: readonly number[]) => {
    const tracker = new CommandTracker((start) => start[0] === Command.changeUser);
    let held = Buffer.alloc(0);
    let forwarded = 0;
    for (const piece of pieces(sent, cutAt)) {
      const bytes = Buffer.concat([held, piece]);
      const { forward, holds } = tracker.scan(bytes);
      forwarded += forward;
      if (holds) return { forwarded, holds };
      held = bytes.subarray(forward);
    }
    return { forwarded, holds: false };
  };

  test('the change of user is found after any other commands, however they are split', () => {
    fc.assert(
      fc.property(fc.array(bytes(), { maxLength: 5 }), cuts, (statements, cutAt) => {
        const queries = statements.map((text) => encodePacket(0, Buffer.concat([Buffer.from([Command.query]), text])));
        const before = Buffer.concat(queries);
        expect(whole(Buffer.concat([before, change]), cutAt)).toEqual({ forwarded: before.length, holds: true });
      }),
      { numRuns: RUNS },
    );
  });

  test('a caller that needs more bytes of a command gets them', () => {
    const seen: number[] = [];
    const tracker = new CommandTracker((start, length) => {
      seen.push(start.length);
      return start.length < length ? undefined : true;
    });
    for (let end = 0; end < query.length; end += 1) {
      expect(tracker.scan(query.subarray(0, end))).toEqual({ forward: 0, holds: false });
    }
    expect(tracker.scan(query)).toEqual({ forward: 0, holds: true });
    expect(seen).toEqual(Array.from({ length: query.length - 4 }, (_, index) => index + 1));
  });

  test('not within a file of any length, but after it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 600 }), cuts, (packets, cutAt) => {
        const file = Array.from({ length: packets }, (_, index) => encodePacket(index + 2, Buffer.from([0x11, 0x11])));
        const end = encodePacket(packets + 2, Buffer.alloc(0));
        const before = Buffer.concat([query, ...file, end]);
        expect(whole(Buffer.concat([before, change]), cutAt)).toEqual({ forwarded: before.length, holds: true });
      }),
      { numRuns: Math.min(RUNS, 100) },
    );
  });

  test('an empty file', () => {
    const before = Buffer.concat([query, encodePacket(2, Buffer.alloc(0))]);
    expect(whole(Buffer.concat([before, change]), [])).toEqual({ forwarded: before.length, holds: true });
  });

  test.each([
    ['a command', 0],
    ['a file', 2],
  ])('not in the continuation of a 16 MB packet of %s', (_what, first) => {
    const long = Buffer.alloc(MAX_PAYLOAD_BYTES, Command.query);
    const rest = encodePacket(first + 1, Buffer.from([Command.changeUser]));
    const end = first === 0 ? Buffer.alloc(0) : encodePacket(first + 2, Buffer.alloc(0));
    const before = Buffer.concat([query, encodePacket(first, long), rest, end]);
    expect(whole(Buffer.concat([before, change]), [])).toEqual({ forwarded: before.length, holds: true });
  });
});

describe('following the commands of a client that compresses', () => {
  const change = Buffer.from([Command.changeUser, 0x61, 0, 0, 0]);
  /** As the protocol has it: the length of what is in the frame stands before that. */
  const compressed = (sequence: number, bytes: Buffer) => {
    const frame = encodeFrame(sequence, deflateSync(bytes));
    frame.writeUIntLE(bytes.length, 4, 3);
    return frame;
  };
  const follow = () => new CompressedTracker((command) => command === Command.changeUser);
  /** Shows the bytes piece by piece; what of them has passed when one is held, or at the end. */
  const whole = (sent: Buffer, cutAt: readonly number[]) => {
    const tracker = follow();
    let passed = 0;
    for (const piece of pieces(sent, cutAt)) {
      const { forward, holds } = tracker.scan(piece);
      passed += forward;
      if (holds) return { passed, holds, sequence: tracker.sequence, broken: tracker.broken?.kind };
      expect(forward).toBe(piece.length);
    }
    return { passed, holds: false, sequence: tracker.sequence, broken: tracker.broken?.kind };
  };

  // A server takes any packet for a command that comes where it awaits one, whatever its number.
  test('the change of user is found, whatever its number, however packets are put into frames and those are cut', () => {
    const packets = fc.array(fc.tuple(uint(8), fc.oneof(bytes(), fc.constant(change))), { maxLength: 6 });
    fc.assert(
      fc.property(packets, cuts, fc.array(fc.boolean()), cuts, (numbered, framesAt, plain, cutAt) => {
        const stream = Buffer.concat(numbered.map(([sequence, payload]) => encodePacket(sequence, payload)));
        const framed = pieces(stream, framesAt);
        const frames = framed.map((piece, index) =>
          (plain[index] || piece.length === 0 ? encodeFrame : compressed)(index, piece),
        );
        const sent = Buffer.concat(frames);
        const at = numbered.findIndex(([, payload]) => payload[0] === Command.changeUser);
        const { passed, holds, sequence, broken } = whole(sent, cutAt);
        expect({ holds, broken }).toEqual({ holds: at !== -1, broken: undefined });
        if (!holds) {
          expect(passed).toBe(sent.length);
          return;
        }
        // The frame in which the server would find it is not there as a whole.
        const startsAt = numbered.slice(0, at).reduce((sum, [, payload]) => sum + 4 + payload.length, 4);
        const upTo = (all: readonly Buffer[], last: number) => Buffer.concat(all.slice(0, last + 1)).length;
        const frame = frames.findIndex((_, index) => upTo(framed, index) > startsAt);
        expect(sequence).toBe(frame);
        expect(passed).toBeLessThan(upTo(frames, frame));
      }),
      { numRuns: RUNS },
    );
  });

  test('not in what goes on from a packet of 16 MB, but behind it', () => {
    const long = encodePacket(0, Buffer.alloc(MAX_PAYLOAD_BYTES, Command.query));
    const cut = 16_000_000;
    const before = Buffer.concat([
      compressed(0, long.subarray(0, cut)),
      compressed(1, Buffer.concat([long.subarray(cut), encodePacket(1, change)])),
    ]);
    const behind = compressed(2, encodePacket(2, change));
    const held = { passed: before.length, holds: true, sequence: 2, broken: undefined };
    expect(whole(Buffer.concat([before, behind]), [before.length])).toEqual(held);
  });

  test.each([
    ['is no deflated data', (frame: Buffer) => frame.fill(0x41, 7)],
    ['is longer than it says', (frame: Buffer) => frame.fill(frame.readUIntLE(4, 3) - 1, 4, 5)],
    ['is shorter than it says', (frame: Buffer) => frame.fill(frame.readUIntLE(4, 3) + 1, 4, 5)],
  ])('what %s does not pass', (_, spoil) => {
    const frame = spoil(compressed(3, encodePacket(0, Buffer.from([Command.query, 0x61]))));
    expect(whole(frame, [])).toEqual({ passed: 0, holds: true, sequence: 3, broken: 'layout' });
  });

  test('no input does more than break the protocol', () => {
    survives((input) => follow().scan(input), compressed(0, encodePacket(0, change)));
  });
});

test('lengths', () => {
  fc.assert(
    fc.property(fc.nat(0xffffff), (length) => {
      const cursor = new Cursor(lengthEncoded(length));
      expect([cursor.lengthEncoded(), cursor.left]).toEqual([length, 0]);
    }),
  );
  for (const none of [0xfb, 0xfe, 0xff]) {
    const decoding = () => new Cursor(Buffer.alloc(9, none)).lengthEncoded();
    expect(decoding).toThrow(expect.objectContaining({ kind: 'layout' }));
  }
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

describe('an encrypted password', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const pem = Buffer.from(publicKey.export({ type: 'spki', format: 'pem' }));
  const scramble = Buffer.from(Array.from({ length: 20 }, (_, index) => index + 1));

  test('can be decrypted by the owner of the key', () => {
    const sent = encryptPassword(Buffer.from('secret\0'), scramble, pem);
    const read = privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING }, sent);
    expect(Buffer.from(read.map((byte, index) => byte ^ (scramble[index % 20] ?? 0))).toString()).toBe('secret\0');
  });

  test('is a different one if it is too long for the key', () => {
    expect(encryptPassword(Buffer.alloc(1300, 65), scramble, pem)).toHaveLength(128);
  });
});
