import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { type PostgresServer, startPostgres } from '@rds-iam/test-servers';
import { encodeMessage, encodePassword } from '@rds-iam/wire/postgres';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCertificateAuthority, type Emulator } from '../src/index.js';
import {
  ask,
  closed,
  fields,
  flood,
  refusedWithoutClosing,
  sign,
  start,
  startupOf as startup,
  until,
  Wire,
} from './harness.js';

const code = (number: number, extra: Buffer = Buffer.alloc(0)) => {
  const packet = Buffer.alloc(8);
  packet.writeUInt32BE(8 + extra.length);
  packet.writeUInt32BE(number, 4);
  return Buffer.concat([packet, extra]);
};
const SSL = code(80877103);
const GSSENC = code(80877104);
const cancel = (extra: Buffer) => code(80877102, extra);

let emulator: Emulator;
/** A real PostgreSQL that asks for cleartext passwords over TLS and for nothing else, as RDS does. */
let real: PostgresServer & { ca: string };
beforeAll(async () => {
  const authority = await createCertificateAuthority();
  const tls = await authority.issue({ hostnames: ['localhost'] });
  const server = await startPostgres({ tls, hba: ['hostssl all all 127.0.0.1/32 password'] });
  real = Object.assign(server, { ca: authority.ca });
  emulator = await start({ authenticationTimeoutMs: 20_000 });
});
afterAll(async () => {
  await emulator.close();
  await real.close();
});

describe('asking for encryption', () => {
  test('SSLRequest, TLS 1.2 and 1.3, verified', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      await ask(emulator, { ssl: { ca: emulator.ca, minVersion: version, maxVersion: version } });
    }
  });

  test('older TLS is refused', async () => {
    const ssl = { ca: emulator.ca, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(ask(emulator, { ssl })).rejects.toThrow();
  });

  test('GSSENCRequest is answered N, in either order with SSLRequest', async () => {
    await using wire = await Wire.open(emulator);
    wire.write(GSSENC);
    expect((await wire.reader.read(1)).toString()).toBe('N');
    wire.write(SSL);
    expect((await wire.reader.read(1)).toString()).toBe('S');
    await wire.startTls(emulator.ca);
    wire.startup({ user: 'postgres' });
    await wire.read();
    wire.write(encodePassword(await sign(emulator)));
    expect((await wire.read()).bytes.toString('hex')).toBe('520000000800000000');

    await using plain = await Wire.open(emulator);
    plain.write(GSSENC);
    expect((await plain.reader.read(1)).toString()).toBe('N');
    plain.startup({ user: 'postgres' });
    expect(fields((await plain.read()).body)).toContain('C28000');
  });

  test('direct TLS with ALPN, as PostgreSQL 17 and later', async () => {
    const socket = connectTls({
      port: emulator.port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: emulator.ca,
      ALPNProtocols: ['postgresql'],
    });
    await once(socket, 'secureConnect');
    expect(socket.alpnProtocol).toBe('postgresql');
    await using wire = new Wire(socket);
    wire.startup({ user: 'postgres', database: 'postgres' });
    expect((await wire.read()).type).toBe('R');
    wire.write(encodePassword(await sign(emulator)));
    expect((await wire.read()).bytes.toString('hex')).toBe('520000000800000000');
  });

  test.each([[undefined], [['h2']]])(
    'direct TLS with ALPN %j is refused, as PostgreSQL does',
    async (ALPNProtocols) => {
      for (const server of [emulator, real]) {
        const socket = connectTls({
          port: server.port,
          host: '127.0.0.1',
          servername: 'localhost',
          ca: server.ca,
          ...(ALPNProtocols ? { ALPNProtocols } : {}),
        });
        socket.on('error', () => {}).resume();
        socket.write(startup({ user: 'postgres' }));
        await closed(socket);
        expect(socket.bytesRead, 'no answer to the startup packet').toBeLessThan(2000);
      }
      expect(await ask(emulator)).toHaveLength(1);
    },
  );

  test('bytes in clear before TLS has begun are refused', async () => {
    await using wire = await Wire.open(emulator);
    wire.write(Buffer.concat([SSL, startup({ user: 'postgres' })]));
    expect(fields((await wire.read()).body)).toEqual(
      expect.arrayContaining(['C08P01', 'Mreceived unencrypted data after SSL request']),
    );
    expect(await wire.rest()).toEqual(Buffer.alloc(0));
  });

  test('an invalid handshake only affects its own connection', async () => {
    await using wire = await Wire.open(emulator);
    wire.write(SSL);
    expect((await wire.reader.read(1)).toString()).toBe('S');
    wire.write('GET / HTTP/1.1\r\n\r\n');
    await wire.rest();
    expect(await ask(emulator)).toHaveLength(1);
  });
});

/** Everything that a server answers to some bytes, without line numbers of its sources. */
async function answer(server: { port: number; ca: string }, tls: boolean, sent: readonly Buffer[]): Promise<string> {
  await using wire = tls ? await Wire.openTls(server) : await Wire.open(server);
  for (const bytes of sent) wire.write(bytes);
  wire.socket.end();
  return (await wire.rest())
    .toString('latin1')
    .replaceAll(/\0L\d+\0/g, '\0L…\0')
    .replace(/E.{4}(?=SFATAL)/s, 'E');
}

describe('PostgreSQL and the emulator answer the same to', () => {
  const user = { user: 'nobody', database: 'none' };
  const ask = startup(user);
  const cases: ReadonlyArray<[what: string, tls: boolean, ...sent: Buffer[]]> = [
    ['a login without TLS', false, ask],
    ['one without a database', false, startup({ user: 'nobody' })],
    ['one for replication', false, startup({ user: 'nobody', replication: 'true' })],
    ['no user', false, startup({ database: 'x' })],
    ['an empty user', true, startup({ user: '' })],
    ['no terminator', false, code(3 << 16, Buffer.from('user\0nobody\0'))],
    ['bytes after the terminator', true, code(3 << 16, Buffer.from('user\0nobody\0\0x\0'))],
    ['protocol 4.0', true, startup(user, 4 << 16)],
    ['SSLRequest over TLS', true, SSL],
    ['GSSENCRequest over TLS', true, GSSENC],
    ['a length of 0', false, Buffer.alloc(4)],
    ['a length of 7', false, Buffer.from([0, 0, 0, 7, 0, 3, 0])],
    ['a length that is too large', true, Buffer.from([0x7f, 255, 255, 255])],
    ['the longest startup packet, and one byte more', false, startup({ ...user, x: 'x'.repeat(10_001 - 35) })],
    ['a truncated startup packet', false, ask.subarray(0, -3)],
    ['HTTP', false, Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['a cancel request for nobody', false, cancel(Buffer.alloc(8, 1))],
    ['a cancel request without a key', false, cancel(Buffer.alloc(4))],
    ['a cancel request with a long key', true, cancel(Buffer.alloc(260, 1))],
    ['a cancel request with too long a key', true, cancel(Buffer.alloc(261, 1))],
    ['an empty password', true, ask, encodePassword('')],
    ['a password with a zero in it', true, ask, encodePassword('a\0b')],
    ['a password without its zero', true, ask, encodeMessage('p', Buffer.from('abc'))],
    ['a password without any byte', true, ask, encodeMessage('p', Buffer.alloc(0))],
    ['a query in place of a password', true, ask, encodeMessage('Q', Buffer.from('select 1\0'))],
    ['a truncated password', true, ask, encodePassword('abcdef').subarray(0, -2)],
    ['a password of 65536 bytes', true, ask, Buffer.from([0x70, 0, 1, 0, 4])],
    ['a password length of 3', true, ask, Buffer.from([0x70, 0, 0, 0, 3])],
    ['nothing', false],
    ['nothing after TLS', true],
  ];
  test.each(cases)('%s', async (_what, tls, ...sent) => {
    expect(await answer(emulator, tls, sent)).toBe(await answer(real, tls, sent));
  });

  test('a password, except for the word that distinguishes PAM from a password', async () => {
    const sent = [ask, encodePassword('wrong')];
    expect((await answer(real, true, sent)).replace('28P01', '28000').replace('Mpassword', 'MPAM')).toBe(
      await answer(emulator, true, sent),
    );
  });
});

describe('a hostile client only affects its own connection', () => {
  test('garbage of any kind, in clear and over TLS', async () => {
    const before = emulator.stats.accepted;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 }),
        fc.constantFrom(0, 1, 2),
        async (chunks, stage) => {
          await using wire = stage === 0 ? await Wire.open(emulator) : await Wire.openTls(emulator);
          if (stage === 2) wire.startup({ user: 'postgres' });
          for (const chunk of chunks) wire.write(Buffer.from(chunk));
          wire.socket.end();
          await wire.rest();
        },
      ),
      { numRuns: 150 },
    );
    expect(await ask(emulator)).toHaveLength(1);
    expect(emulator.stats.accepted).toBe(before + 1);
    await until(() => emulator.stats.open === 0);
  });

  test('an endless one is disconnected', async () => {
    await flood(emulator);
    expect(await ask(emulator)).toHaveLength(1);
  });

  test.each([
    ['says nothing', 0],
    ['stops in the middle of its startup packet', 1],
    ['stops after SSLRequest', 2],
    ['does not send its password', 3],
  ])('one that %s runs into the time-out, and gets no answer', async (_what, stage) => {
    await using impatient = await start({ authenticationTimeoutMs: 150 });
    await using wire = stage === 3 ? await Wire.openTls(impatient) : await Wire.open(impatient);
    if (stage === 1) wire.write(startup({ user: 'postgres' }).subarray(0, 10));
    if (stage === 2) {
      wire.write(SSL);
      await wire.reader.read(1);
    }
    if (stage === 3) {
      wire.startup({ user: 'postgres' });
      await wire.read();
    }
    expect(await wire.rest()).toEqual(Buffer.alloc(0));
    expect(impatient.stats.refused.timeout).toBe(1);
    await until(() => impatient.stats.open === 0);
  });

  test('one that never closes after a refusal is disconnected', async () => {
    await using impatient = await start({ authenticationTimeoutMs: 150 });
    await refusedWithoutClosing(impatient, startup({ user: 'postgres' }));
    expect(impatient.stats.refused).toMatchObject({ plaintext: 1, timeout: 0 });
  });
});

test('a session is not closed by the time-out of its login', async () => {
  await using impatient = await start({ authenticationTimeoutMs: 1000 });
  expect(await ask(impatient, {}, 'select pg_sleep(1.2)')).toHaveLength(1);
});
