import { encodePassword } from '@rds-iam/wire/postgres';
import { describe, expect, test } from 'vitest';
import { ask, client, failure, fields, KEY, REGION, sign, start, until, Wire } from './harness.js';

describe('a good token', () => {
  test('logs pg in over verified TLS', async () => {
    await using emulator = await start();
    expect(await ask(emulator)).toEqual([{ one: 1 }]);
    expect(emulator.stats).toMatchObject({ connections: 1, accepted: 1, distinctTokens: 1 });
    await until(() => emulator.stats.open === 0);
  });

  test('is good for many connections, in parallel and in sequence', async () => {
    await using emulator = await start();
    const token = await sign(emulator);
    await Promise.all(Array.from({ length: 50 }, () => ask(emulator, { password: token })));
    await ask(emulator, { password: token });
    expect(emulator.stats).toMatchObject({ accepted: 51, distinctTokens: 1 });
  });

  test('with a session token', async () => {
    const session = { ...KEY, sessionToken: `IQoJ${'x'.repeat(1500)}==` };
    await using emulator = await start({ accessKeys: [session] });
    expect(await ask(emulator, { password: await sign(emulator, { credentials: session }) })).toHaveLength(1);
    expect((await failure(ask(emulator, { password: await sign(emulator) }))).code).toBe('28000');
    expect(emulator.stats.refused['session-token']).toBe(1);
  });

  test('for the port that is forwarded to this one', async () => {
    await using emulator = await start({ tokenPort: 5432 });
    expect(await ask(emulator, { password: await sign({ hostname: 'localhost', port: 5432 }) })).toHaveLength(1);
    await failure(ask(emulator));
    expect(emulator.stats.refused['wrong-port']).toBe(1);
  });

  test('for each of the names, all of which are in the certificate', async () => {
    await using emulator = await start({ hostnames: ['db.internal', 'localhost', '127.0.0.1'] });
    expect(emulator.hostname).toBe('db.internal');
    for (const hostname of ['localhost', '127.0.0.1']) {
      const password = await sign({ hostname, port: emulator.port });
      expect(await ask(emulator, { host: hostname, password })).toHaveLength(1);
    }
  });

  test('the session goes on when the token has expired', async () => {
    let time = Date.now();
    await using emulator = await start({ now: () => time });
    const connection = client(emulator);
    await connection.connect();
    time += 3_600_000;
    expect((await connection.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    expect((await failure(ask(emulator))).code).toBe('28000');
    expect(emulator.stats.refused.expired).toBe(1);
    await connection.end();
  });

  test('Date.now is looked up at each use', async () => {
    await using emulator = await start();
    const real = Date.now;
    Date.now = () => real() + 3_600_000;
    try {
      await failure(ask(emulator, { password: await sign(emulator) }));
    } finally {
      Date.now = real;
    }
    expect(emulator.stats.refused.expired).toBe(1);
  });
});

describe('a refusal', () => {
  const guess = { ...KEY, secretAccessKey: 'guess' };
  const cases: ReadonlyArray<
    [reason: string, token: (e: { hostname: string; port: number }) => Promise<string> | string]
  > = [
    ['malformed', () => 'password'],
    ['wrong-user', (e) => sign(e, { username: 'other' })],
    ['wrong-host', (e) => sign({ ...e, hostname: 'cname.example.com' })],
    ['wrong-port', (e) => sign({ ...e, port: 5432 })],
    ['wrong-region', (e) => sign(e, { region: 'us-east-1' })],
    ['unknown-access-key', (e) => sign(e, { credentials: { ...KEY, accessKeyId: 'AKIDOTHER' } })],
    ['bad-signature', (e) => sign(e, { credentials: guess })],
    ['session-token', (e) => sign(e, { credentials: { ...KEY, sessionToken: 'x' } })],
    ['not-authorized', (e) => sign(e, { credentials: { accessKeyId: 'AKIDAPP', secretAccessKey: 'app' } })],
  ];

  test.each(cases)('%s: the same for every reason, byte for byte', async (reason, token) => {
    const app = { accessKeyId: 'AKIDAPP', secretAccessKey: 'app', usernames: ['app'] };
    await using emulator = await start({ accessKeys: [KEY, app] });
    await using wire = await Wire.openTls(emulator);
    wire.startup({ user: 'postgres', database: 'postgres' });
    expect((await wire.read()).bytes).toEqual(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]));
    wire.write(encodePassword(await token(emulator)));
    const body =
      'SFATAL\0VFATAL\0C28000\0MPAM authentication failed for user "postgres"\0Fauth.c\0L333\0Rauth_failed\0\0';
    const length = Buffer.alloc(4);
    length.writeInt32BE(body.length + 4);
    expect(await wire.rest()).toEqual(Buffer.concat([Buffer.from('E'), length, Buffer.from(body)]));
    expect(Object.entries(emulator.stats.refused).filter(([, count]) => count > 0)).toEqual([[reason, 1]]);
    expect(emulator.stats).toMatchObject({ accepted: 0, distinctTokens: 0 });
  });

  test.each([
    ['expired', 901_000],
    ['not-yet-valid', -301_000],
  ] as const)('%s, by the server’s clock', async (reason, clockOffsetMs) => {
    await using emulator = await start({ faults: { clockOffsetMs } });
    expect(await failure(ask(emulator))).toMatchObject({
      code: '28000',
      severity: 'FATAL',
      message: 'PAM authentication failed for user "postgres"',
      routine: 'auth_failed',
      file: 'auth.c',
    });
    expect(emulator.stats.refused[reason]).toBe(1);
  });

  test('of a plaintext login, before any password is asked for', async () => {
    await using emulator = await start();
    await using wire = await Wire.open(emulator);
    wire.startup({ user: 'app', database: 'shop' });
    const answer = await wire.read();
    expect(answer.type).toBe('E');
    expect(fields(answer.body)).toEqual([
      'SFATAL',
      'VFATAL',
      'C28000',
      'Mno pg_hba.conf entry for host "127.0.0.1", user "app", database "shop", no encryption',
      'Fauth.c',
      'L536',
      'RClientAuthentication',
    ]);
    expect(await wire.rest()).toEqual(Buffer.alloc(0));
    expect(await failure(ask(emulator, { ssl: false, user: 'app' }))).toMatchObject({
      code: '28000',
      message: 'no pg_hba.conf entry for host "127.0.0.1", user "app", database "postgres", no encryption',
      routine: 'ClientAuthentication',
    });
    expect(emulator.stats.refused.plaintext).toBe(2);
  });

  test('does not affect other clients', async () => {
    await using emulator = await start();
    const attempts = Array.from({ length: 40 }, (_, index) =>
      index % 2 ? ask(emulator) : failure(ask(emulator, { password: 'x' })),
    );
    await Promise.all(attempts);
    expect(emulator.stats).toMatchObject({ accepted: 20 });
    expect(emulator.stats.refused.malformed).toBe(20);
  });
});

test('there is no way to accept every token', async () => {
  const upstream = { hostname: '127.0.0.1', port: 1 };
  await expect(start({ upstream, region: REGION, accessKeys: [] })).rejects.toThrow('"accessKeys" must be a list with');
});
