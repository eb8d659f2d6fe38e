import type { MariadbServer } from '@rds-iam/test-servers';
import { Capability, encodeHandshakeResponse, encodePacket, encodeSslRequest } from '@rds-iam/wire/mysql';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCertificateAuthority, type Emulator } from '../../src/index.js';
import { flood, refusedWithoutClosing, until } from '../harness.js';
import { ask, CAPABILITIES, errorPacket, response, rows, start, startServer, Wire } from './harness.js';

const SSL_REQUEST = encodePacket(1, encodeSslRequest(response({ capabilities: CAPABILITIES | Capability.ssl })));
const FULL = encodeHandshakeResponse(response());
const BAD_HANDSHAKE = errorPacket(2, 1043, '08S01', 'Bad handshake');

let server: MariadbServer & { ca: string };
let emulator: Emulator;
beforeAll(async () => {
  const authority = await createCertificateAuthority();
  const tls = await authority.issue({ hostnames: ['localhost'] });
  server = Object.assign(await startServer({ tls }), { ca: authority.ca });
  emulator = await start(server, { authenticationTimeoutMs: 20_000, requireSecureTransport: false });
});
afterAll(async () => {
  await emulator.close();
  await server.close();
});

describe('the greeting', () => {
  test('is the upstream’s own, except for what is not passed on', async () => {
    await using direct = await Wire.open(server);
    await using wire = await Wire.open(emulator);
    const [theirs, ours] = [direct.greeting, wire.greeting];
    if (!theirs || !ours) throw new Error('no greeting');
    expect(ours.serverVersion).toBe(theirs.serverVersion);
    expect([ours.characterSet, ours.status]).toEqual([theirs.characterSet, theirs.status]);
    expect(ours.plugin).toBe(theirs.plugin);
    expect(ours.scramble).toHaveLength(20);
    const left = Capability.compress;
    expect(
      theirs.capabilities & ~ours.capabilities & ~Capability.zstdCompression & ~Capability.multiFactorAuthentication,
    ).toBe(left);
    expect(ours.capabilities & ~theirs.capabilities).toBe(0);
    expect(ours.mariadbCapabilities).toBe(theirs.mariadbCapabilities & ~0b10);
  });

  test('comes with TLS and without', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const ssl = { ca: emulator.ca, minVersion: version, maxVersion: version };
      expect(await ask(emulator, { ssl }, 'select 1 as one')).toEqual([{ one: 1 }]);
    }
    const ssl = { ca: emulator.ca, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(ask(emulator, { ssl: ssl as never })).rejects.toThrow();
  });

  test('TLS bytes that arrive together with the request for it', async () => {
    await using wire = await Wire.open(emulator);
    wire.raw.cork();
    wire.send(SSL_REQUEST);
    const secured = wire.startTls(emulator.ca);
    wire.raw.uncork();
    await secured;
    expect(await wire.respond().read()).toEqual(Buffer.from('\xfemysql_clear_password\0', 'latin1'));
  });

  test('anything else in clear does not count as a login', async () => {
    const refused = emulator.stats.refused.protocol;
    await using wire = await Wire.open(emulator);
    wire.send(Buffer.concat([SSL_REQUEST, encodePacket(2, FULL)]));
    expect((await wire.rest()).toString('latin1'), 'a TLS alert at most').not.toContain('password');
    await using longer = await Wire.open(emulator);
    longer.send(encodePacket(1, Buffer.concat([SSL_REQUEST.subarray(4), Buffer.from('app\0')])));
    expect(await longer.rest()).toEqual(BAD_HANDSHAKE);
    expect(emulator.stats.refused.protocol).toBe(refused + 1);
  });
});

// MySQL even tells a client that has left that there is nothing to read.
const NOTHING_TO_READ = '\xff\x86\x04#08S01Got an error reading communication packets';

/** Everything that a server answers to some bytes after its greeting. */
async function answer(to: { port: number; ca: string }, tls: boolean, sent: readonly Buffer[]): Promise<string> {
  await using wire = tls ? await Wire.openTls(to) : await Wire.open(to);
  for (const bytes of sent) wire.send(bytes);
  wire.stream.end();
  const said = (await wire.rest()).toString('latin1');
  return said.endsWith(NOTHING_TO_READ) ? said.slice(0, -NOTHING_TO_READ.length - 4) : said;
}

describe('the server and the emulator answer the same to', () => {
  const cases: ReadonlyArray<[what: string, tls: boolean, ...sent: Buffer[]]> = [
    ['nothing', false],
    ['nothing after TLS', true],
    ['an empty packet', false, encodePacket(1, Buffer.alloc(0))],
    ['a packet of one byte', false, encodePacket(1, Buffer.from([1]))],
    ['a response that is cut before its flags end', false, encodePacket(1, FULL.subarray(0, 31))],
    ['one without a user', true, encodePacket(2, FULL.subarray(0, 32))],
    ['an unterminated user name', true, encodePacket(2, FULL.subarray(0, 34))],
    ['an answer that is shorter than it says', false, encodePacket(1, FULL.subarray(0, 40))],
    ['a truncated packet', false, encodePacket(1, FULL).subarray(0, 20)],
    ['a wrong number', false, encodePacket(2, FULL)],
    ['a wrong number after TLS', true, encodePacket(1, FULL)],
    ['HTTP', false, Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
  ];
  test.each(cases)('%s', async (_what, tls, ...sent) => {
    expect(await answer(emulator, tls, sent)).toBe(await answer(server, tls, sent));
  });
});

// MySQL 8.0's answer; MariaDB lets them try.
test('clients that cannot be asked for a password in clear are told so', async () => {
  const message =
    'Client does not support authentication protocol requested by server; consider upgrading MySQL client';
  for (const missing of [Capability.pluginAuth, Capability.secureConnection]) {
    const old = encodeHandshakeResponse(response({ capabilities: CAPABILITIES & ~missing }));
    expect(await answer(emulator, false, [encodePacket(1, old)])).toBe(
      errorPacket(2, 1251, '08004', message).toString('latin1'),
    );
  }
  const veryOld = encodeHandshakeResponse(response({ capabilities: CAPABILITIES & ~Capability.protocol41 }));
  const withoutState = encodePacket(2, Buffer.concat([Buffer.from([0xff, 0xe3, 0x04]), Buffer.from(message)]));
  expect(await answer(emulator, false, [encodePacket(1, veryOld)])).toBe(withoutState.toString('latin1'));
});

describe('a hostile client only affects its own connection', () => {
  test('garbage of any kind, in clear, over TLS and in place of a token', async () => {
    const before = emulator.stats.accepted;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 }),
        fc.constantFrom(0, 1, 2),
        fc.boolean(),
        async (chunks, stage, framed) => {
          await using wire =
            stage === 0
              ? await Wire.open(emulator)
              : stage === 1
                ? await Wire.openTls(emulator)
                : await Wire.openToToken(emulator);
          for (const chunk of chunks) framed ? wire.write(Buffer.from(chunk)) : wire.send(Buffer.from(chunk));
          wire.stream.end();
          await wire.rest();
        },
      ),
      { numRuns: 150 },
    );
    expect(await ask(emulator)).toHaveLength(1);
    expect(emulator.stats.accepted).toBe(before + 1);
    await until(() => emulator.stats.open === 0);
  });

  test.each([false, true])(
    'a packet that is larger than any login, before it has arrived; over TLS: %j',
    async (tls) => {
      await using wire = tls ? await Wire.openTls(emulator) : await Wire.open(emulator);
      wire.send(Buffer.from([0xff, 0xff, 0xff, tls ? 2 : 1]));
      expect(await wire.rest()).toEqual(
        errorPacket(tls ? 3 : 2, 1153, '08S01', "Got a packet bigger than 'max_allowed_packet' bytes"),
      );
    },
  );

  test('a token that is larger than any real one', async () => {
    await using wire = await Wire.openToToken(emulator);
    wire.write(Buffer.alloc(140_000, 'x'));
    expect((await wire.rest()).readUInt16LE(5)).toBe(1153);
  });

  test('an endless one is disconnected', async () => {
    await using impatient = await start(server, { authenticationTimeoutMs: 300 });
    await flood(impatient);
    expect(await ask(emulator)).toHaveLength(1);
  });

  test.each([
    ['says nothing', 0],
    ['stops in the middle of its response', 1],
    ['stops after its request for TLS', 2],
    ['does not send its token', 3],
  ])('one that %s runs into the time-out, and gets no answer', async (_what, stage) => {
    await using impatient = await start(server, { authenticationTimeoutMs: 150 });
    await using wire = stage === 3 ? await Wire.openToToken(impatient) : await Wire.open(impatient);
    if (stage === 1) wire.send(encodePacket(1, FULL).subarray(0, 10));
    if (stage === 2) wire.send(SSL_REQUEST);
    expect(await wire.rest()).toEqual(Buffer.alloc(0));
    expect(impatient.stats.refused).toMatchObject({ timeout: 1, upstream: 0, protocol: 0 });
    await until(() => impatient.stats.open === 0);
  });

  test('one that never closes after a refusal is disconnected', async () => {
    await using impatient = await start(server, { authenticationTimeoutMs: 150 });
    await refusedWithoutClosing(impatient, encodePacket(1, FULL));
    expect(impatient.stats.refused).toMatchObject({ plaintext: 1, timeout: 0 });
  });

  test('one that leaves before the greeting', async () => {
    const before = emulator.stats;
    const wires = await Promise.all(Array.from({ length: 20 }, () => Wire.dial(emulator)));
    for (const wire of wires) wire.raw.resetAndDestroy();
    await until(() => emulator.stats.open === 0);
    expect(emulator.stats.refused).toEqual(before.refused);
  });
});

test('a refused login leaves nothing at the upstream', async () => {
  const root = await server.connectAsSuperuser();
  for (let i = 0; i < 5; i += 1) {
    const wire = await Wire.openToToken(emulator);
    await wire.write('guess\0').rest();
    await wire[Symbol.asyncDispose]();
  }
  await until(async () => {
    const [threads] = await rows(root, "show global status like 'Threads_connected'");
    return threads?.['Value'] === '1';
  });
  await root.end();
});
