import { once } from 'node:events';
import { encodePassword } from '@rds-iam/wire/postgres';
import { describe, expect, test } from 'vitest';
import { RateWindow } from '../src/throttle.js';
import { ask, client, failure, KEY, sign, start, until, Wire } from './harness.js';

describe('throttle', () => {
  /** The emulator's time only moves when the test says so. */
  async function throttled(throttle: object) {
    const clock = { time: Date.now() };
    const emulator = await start({ now: () => clock.time });
    emulator.setFaults({ throttle: { connectionsPerSecond: 2, action: 'deny', ...throttle } });
    return { emulator, clock };
  }
  const tokens = async (emulator: { hostname: string; port: number }, count: number) => {
    // Within the same second the signer would make identical tokens, so each is for another host.
    return Promise.all(
      Array.from({ length: count }, (_, i) => sign(emulator, { credentials: keys[i % 8] ?? keys[0] })),
    );
  };
  const keys = Array.from({ length: 8 }, (_, i) => ({ accessKeyId: `AKID${i}`, secretAccessKey: `s${i}` })) as [
    { accessKeyId: string; secretAccessKey: string },
  ];

  test('new tokens above the limit are denied in RDS’s words; known ones pass', async () => {
    let time = Date.now();
    await using emulator = await start({ accessKeys: keys, now: () => time });
    emulator.setFaults({ throttle: { connectionsPerSecond: 2, action: 'deny' } });
    const [a = '', b = '', c = ''] = await tokens(emulator, 3);
    await ask(emulator, { password: a });
    await ask(emulator, { password: b });
    const error = await failure(ask(emulator, { password: c }));
    expect(error).toMatchObject({ code: '28000', message: 'PAM authentication failed for user "postgres"' });
    for (let i = 0; i < 5; i += 1) await ask(emulator, { password: i % 2 ? a : b });
    time += 1000;
    await ask(emulator, { password: c });
    expect(emulator.stats.refused.throttled).toBe(1);
    expect(emulator.stats).toMatchObject({ accepted: 8, distinctTokens: 3 });
  });

  test('when logins are counted, known tokens count, too', async () => {
    const { emulator, clock } = await throttled({ counting: 'logins' });
    await using _ = emulator;
    const password = await sign(emulator);
    await ask(emulator, { password });
    await ask(emulator, { password });
    expect((await failure(ask(emulator, { password }))).code).toBe('28000');
    clock.time += 999;
    expect((await failure(ask(emulator, { password }))).code).toBe('28000');
    clock.time += 1;
    await ask(emulator, { password });
    expect(emulator.stats.refused.throttled).toBe(2);
  });

  test('in RDS Proxy’s words', async () => {
    const { emulator } = await throttled({ connectionsPerSecond: 0, wording: 'rds-proxy' });
    await using _ = emulator;
    expect((await failure(ask(emulator))).message).toBe(
      'The IAM authentication failed because of too many competing requests.',
    );
  });

  test('a bad token stays a bad token, and does not count', async () => {
    const { emulator } = await throttled({ connectionsPerSecond: 1, wording: 'rds-proxy' });
    await using _ = emulator;
    for (let i = 0; i < 3; i += 1) {
      expect((await failure(ask(emulator, { password: 'x' }))).message).toContain('PAM authentication failed');
    }
    await ask(emulator);
    expect(emulator.stats.refused).toMatchObject({ malformed: 3, throttled: 0 });
  });

  test('reset', async () => {
    const { emulator } = await throttled({ connectionsPerSecond: 0, action: 'reset' });
    await using _ = emulator;
    expect((await failure(ask(emulator))).code).toBe('ECONNRESET');
    expect(emulator.stats.refused.throttled).toBe(1);
    await until(() => emulator.stats.open === 0);
  });

  test('delay', async () => {
    const { emulator } = await throttled({
      connectionsPerSecond: 1,
      action: 'delay',
      delayMs: 300,
      counting: 'logins',
    });
    await using _ = emulator;
    const password = await sign(emulator);
    await ask(emulator, { password });
    const begun = performance.now();
    await ask(emulator, { password });
    expect(performance.now() - begun).toBeGreaterThan(295);
    expect(emulator.stats.refused.throttled).toBe(0);
  });

  test('a client that gives up during the delay leaves nothing behind', async () => {
    const { emulator } = await throttled({ connectionsPerSecond: 0, action: 'delay', delayMs: 600_000 });
    await using _ = emulator;
    const wire = await Wire.openTls(emulator);
    wire.startup({ user: 'postgres' });
    await wire.read();
    wire.write(encodePassword(await sign(emulator)));
    const connection = client(emulator, { connectionTimeoutMillis: 300 });
    await failure(connection.connect());
    await emulator.close();
    await wire.rest();
  });

  test('setFaults resets the count, and {} ends the throttling', async () => {
    const { emulator } = await throttled({ connectionsPerSecond: 1, counting: 'logins' });
    await using _ = emulator;
    await ask(emulator);
    await failure(ask(emulator));
    emulator.setFaults({ throttle: { connectionsPerSecond: 1, counting: 'logins', action: 'deny' } });
    await ask(emulator);
    await failure(ask(emulator));
    emulator.setFaults({});
    await ask(emulator);
    expect(emulator.stats.refused.throttled).toBe(2);
  });

  test('the window of one second slides', () => {
    const window = new RateWindow(2);
    const admitted = [0, 1, 999, 1000, 1000, 1001, 1999, 2000, 2001, 2001].map((at) => window.admit(at));
    expect(admitted).toEqual([true, true, false, true, false, true, false, true, true, false]);
    expect(new RateWindow(0).admit(5)).toBe(false);
  });
});

describe('TLS', () => {
  test.each([
    ['wrong-name', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['other-ca', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['expired', 'CERT_HAS_EXPIRED'],
  ] as const)('%s is seen as %s', async (tls, code) => {
    await using emulator = await start({ faults: { tls } });
    expect((await failure(ask(emulator))).code).toBe(code);
    emulator.setFaults({});
    await ask(emulator);
    expect(emulator.stats.accepted).toBe(1);
  });

  test('off answers N, and accepts no login in clear', async () => {
    await using emulator = await start({ faults: { tls: 'off' } });
    expect((await failure(ask(emulator))).message).toBe('The server does not support SSL connections');
    expect((await failure(ask(emulator, { ssl: false }))).message).toContain('no encryption');
    await using direct = await Wire.open(emulator);
    direct.write(Buffer.from([0x16, 3, 1, 0, 5]));
    expect(await direct.rest()).toEqual(Buffer.alloc(0));
  });
});

describe('hang', () => {
  test.each(['before-tls', 'before-authentication', 'after-password'] as const)('%s', async (hang) => {
    await using emulator = await start({ faults: { hang }, authenticationTimeoutMs: 400 });
    await using wire = hang === 'before-tls' ? await Wire.open(emulator) : await Wire.openTls(emulator);
    wire.startup({ user: 'postgres' });
    if (hang === 'after-password') {
      await wire.read();
      wire.write(encodePassword(await sign(emulator)));
    }
    expect(await wire.rest(), 'nothing but the time-out').toEqual(Buffer.alloc(0));
    expect(emulator.stats.refused.timeout).toBe(1);
    emulator.setFaults({});
    await ask(emulator);
  });

  test('a client that closes is released at once', async () => {
    await using emulator = await start({ faults: { hang: 'before-authentication' } });
    const wire = await Wire.openTls(emulator);
    wire.startup({ user: 'postgres' });
    wire.socket.end();
    await once(wire.socket.resume(), 'end');
    await until(() => emulator.stats.open === 0);
    expect(emulator.stats.refused.timeout).toBe(0);
  });
});

describe('revokedAccessKeys', () => {
  test('their tokens are refused until they are no longer revoked, and those of other keys are not', async () => {
    const other = { accessKeyId: 'AKIDOTHER', secretAccessKey: 'other-secret' };
    await using emulator = await start({ accessKeys: [KEY, other] });
    emulator.setFaults({ revokedAccessKeys: [KEY.accessKeyId] });
    expect((await failure(ask(emulator))).code).toBe('28000');
    await ask(emulator, { password: await sign(emulator, { credentials: other }) });
    expect(emulator.stats.refused['unknown-access-key']).toBe(1);
    emulator.setFaults({});
    await ask(emulator);
  });

  test('is refused unless it is a list of ids', async () => {
    await using emulator = await start();
    // @ts-expect-error: a list
    expect(() => emulator.setFaults({ revokedAccessKeys: 'AKID' })).toThrow(/faults\.revokedAccessKeys/);
  });
});
