import type { MariadbServer } from '@rds-iam/test-servers';
import { Capability } from '@rds-iam/wire/mysql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Faults, ThrottleFault } from '../../src/index.js';
import { failure, until } from '../harness.js';
import { ask, client, errorPacket, rows, sign, start, startServer, Wire } from './harness.js';

let server: MariadbServer;
beforeAll(async () => {
  server = await startServer({ settings: { connect_timeout: '2' } });
});
afterAll(() => server.close());

const keys = Array.from({ length: 3 }, (_, i) => ({ accessKeyId: `AKID${i}`, secretAccessKey: `s${i}` }));

/** An emulator whose clock stands still, with as many different tokens as there are keys. */
async function throttled(throttle: Partial<ThrottleFault>, connectionsPerSecond = 1) {
  const nowMs = Date.now();
  const faults: Faults = { throttle: { connectionsPerSecond, action: 'deny', ...throttle } };
  const emulator = await start(server, { accessKeys: keys, now: () => nowMs, faults });
  const tokens = await Promise.all(keys.map((credentials) => sign(emulator, { credentials })));
  return { emulator, tokens };
}

describe('throttle', () => {
  test('new tokens above the limit are denied in RDS’s words; known ones pass', async () => {
    const { emulator, tokens } = await throttled({});
    await using _ = emulator;
    const [first = '', second = ''] = tokens;
    await ask(emulator, { password: first });
    expect(await failure(ask(emulator, { password: second }))).toMatchObject({
      errno: 1045,
      message: "Access denied for user 'app'@'127.0.0.1' (using password: YES)",
    });
    await ask(emulator, { password: first });
    expect(emulator.stats).toMatchObject({ accepted: 2, distinctTokens: 1, refused: { throttled: 1 } });
  });

  test('a new token counts once, however many logins use it at the same time', async () => {
    const { emulator, tokens } = await throttled({});
    await using _ = emulator;
    await Promise.all(Array.from({ length: 10 }, () => ask(emulator, { password: tokens[0] ?? '' })));
    expect(emulator.stats.accepted).toBe(10);
  });

  test('in RDS Proxy’s words, byte for byte', async () => {
    const { emulator, tokens } = await throttled({ wording: 'rds-proxy', counting: 'logins' }, 0);
    await using _ = emulator;
    await using wire = await Wire.openToToken(emulator);
    wire.write(`${tokens[0]}\0`);
    expect(await wire.rest()).toEqual(errorPacket(5, 1040, '08004', 'IAM authentication rate limit exceeded'));
  });

  test('reset', async () => {
    const { emulator, tokens } = await throttled({ action: 'reset' }, 0);
    await using _ = emulator;
    expect((await failure(ask(emulator, { password: tokens[0] ?? '' }))).code).toBe('ECONNRESET');
    expect(emulator.stats.refused.throttled).toBe(1);
    await until(() => emulator.stats.open === 0);
  });

  test('delay, for longer than the upstream waits for the answer to its greeting', async () => {
    const { emulator, tokens } = await throttled({ action: 'delay', delayMs: 2500 }, 0);
    await using _ = emulator;
    const begun = performance.now();
    const connection = await client(emulator, { password: tokens[0] ?? '' });
    expect(performance.now() - begun).toBeGreaterThan(2495);
    expect(await rows(connection, 'select 1 as one')).toEqual([{ one: 1 }]);
    await connection.end();
    expect(emulator.stats).toMatchObject({ accepted: 1, refused: { throttled: 0 } });
  });

  test('a client that gives up during the delay leaves nothing behind', async () => {
    const { emulator, tokens } = await throttled({ action: 'delay', delayMs: 600_000 }, 0);
    await using _ = emulator;
    const wire = await Wire.openToToken(emulator);
    wire.write(`${tokens[0]}\0`);
    const root = await server.connectAsSuperuser();
    const threads = async () =>
      (await rows(root, "select id from information_schema.processlist where user = 'app'")).length;
    await until(async () => (await threads()) === 1);
    wire.raw.resetAndDestroy();
    await until(async () => (await threads()) === 0);
    await root.end();
    await until(() => emulator.stats.open === 0);
    expect(emulator.stats.accepted).toBe(0);
  });
});

describe('TLS', () => {
  test.each([
    ['wrong-name', /altnames|Hostname/],
    ['other-ca', /certificate|verify/],
    ['expired', /expired/],
  ] as const)('%s is seen', async (tls, message) => {
    await using emulator = await start(server, { faults: { tls } });
    const ssl = { ca: emulator.ca, verifyIdentity: true };
    expect((await failure(ask(emulator, { ssl }))).message).toMatch(message);
    emulator.setFaults({});
    await ask(emulator, { ssl });
    expect(emulator.stats.accepted).toBe(1);
  });

  test('off means that TLS is not offered, and no login in clear is accepted', async () => {
    await using emulator = await start(server, { faults: { tls: 'off' } });
    await using wire = await Wire.open(emulator);
    expect((wire.greeting?.capabilities ?? Capability.ssl) & Capability.ssl).toBe(0);
    wire.respond();
    expect((await wire.rest()).readUInt16LE(5)).toBe(3159);
    expect((await failure(ask(emulator))).message).toContain('Server does not support secure connection');
    // What MariaDB and MySQL answer if a client asks for it anyway.
    await using insists = await Wire.open(emulator);
    insists.respond({ capabilities: 0xffffff });
    expect(await insists.rest()).toEqual(errorPacket(2, 1043, '08S01', 'Bad handshake'));
  });
});

describe('hang', () => {
  test.each(['before-tls', 'before-authentication', 'after-password'] as const)('%s', async (hang) => {
    await using emulator = await start(server, { faults: { hang }, authenticationTimeoutMs: 400 });
    await using wire = hang === 'before-tls' ? await Wire.dial(emulator) : await Wire.openTls(emulator);
    if (hang !== 'before-tls') wire.respond();
    if (hang === 'after-password') {
      await wire.read();
      wire.write(`${await sign(emulator)}\0`);
    }
    expect(await wire.rest(), 'nothing but the time-out').toEqual(Buffer.alloc(0));
    expect(emulator.stats.refused.timeout).toBe(1);
    emulator.setFaults({});
    await ask(emulator);
  });

  test('a client that closes is released at once', async () => {
    await using emulator = await start(server, { faults: { hang: 'before-authentication' } });
    const wire = await Wire.openTls(emulator);
    wire.respond().stream.end();
    await wire.rest();
    await until(() => emulator.stats.open === 0);
    expect(emulator.stats.refused.timeout).toBe(0);
  });
});
