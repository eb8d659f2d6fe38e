import { X509Certificate } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, inject, test } from 'vitest';
import { createCertificateAuthority, type EmulatorOptions, startEmulator } from '../src/index.js';
import { ask, client, failure, KEY, REGION, sign, start, until, Wire } from './harness.js';
import { leavesNothing } from './leaves-nothing-behind.js';

describe('options', () => {
  const upstream = { hostname: '127.0.0.1', port: 5432 };
  const good = { upstream, region: REGION, accessKeys: [KEY] };
  const secret = 'hunter2-hunter2';
  const bad: ReadonlyArray<[message: string, options: object]> = [
    ['"options" must be an object, got undefined', undefined as unknown as object],
    ['"options" must be an object of engine, upstream, region,', { ...good, acceptAll: true }],
    ['"upstream" must be an object, got undefined', { ...good, upstream: undefined }],
    [
      '"upstream" must be an object of hostname, port, username, password, tls, got "host"',
      { ...good, upstream: { ...upstream, host: 'x' } },
    ],
    [
      '"upstream.hostname" must be a string that is not empty, got an empty string',
      { ...good, upstream: { port: 1, hostname: '' } },
    ],
    [
      '"upstream.hostname" must be a host name; a Unix socket is for the engine "postgres", got',
      { ...good, engine: 'mysql', upstream: { ...upstream, hostname: '/run' } },
    ],
    ['"upstream.port" must be a whole number from 1 to 65535, got 0', { ...good, upstream: { ...upstream, port: 0 } }],
    [
      '"upstream.password" must be a string or a function of the user name, got number',
      { ...good, upstream: { ...upstream, password: 12345 } },
    ],
    ['"upstream.tls" must be an object, got boolean', { ...good, upstream: { ...upstream, tls: true } }],
    ['"region" must be an AWS region, such as "eu-west-1", got undefined', { ...good, region: undefined }],
    ['"region" must be an AWS region, such as "eu-west-1", got "Ireland"', { ...good, region: 'Ireland' }],
    [
      '"accessKeys" must be a list with at least one { accessKeyId, secretAccessKey }, got a list of 0',
      { ...good, accessKeys: [] },
    ],
    [
      '"accessKeys" must be a list with at least one { accessKeyId, secretAccessKey }, got string',
      { ...good, accessKeys: '*' },
    ],
    ['"accessKeys[0]" must be an object, got string', { ...good, accessKeys: [secret] }],
    [
      '"accessKeys[0].accessKeyId" must be letters and digits, got',
      { ...good, accessKeys: [{ accessKeyId: `${secret}*`, secretAccessKey: 'x' }] },
    ],
    [
      '"accessKeys[0].secretAccessKey" must be a string that is not empty, got undefined',
      { ...good, accessKeys: [{ accessKeyId: 'AKID' }] },
    ],
    ['"accessKeys[1].accessKeyId" must be different from those before it', { ...good, accessKeys: [KEY, KEY] }],
    [
      '"accessKeys[0].sessionToken" must be a string that is not empty',
      { ...good, accessKeys: [{ ...KEY, sessionToken: '' }] },
    ],
    [
      '"accessKeys[0].usernames" must be a list of strings, got "*"',
      { ...good, accessKeys: [{ ...KEY, usernames: '*' }] },
    ],
    ['"accessKeys[0]" must be an object of', { ...good, accessKeys: [{ ...KEY, any: true }] }],
    ['"hostnames" must be a list with at least one name, got a list of 0', { ...good, hostnames: [] }],
    [
      '"hostnames" must be DNS names in lower case or IP addresses, got "LOCALHOST"',
      { ...good, hostnames: ['LOCALHOST'] },
    ],
    ['"port" must be a whole number from 0 to 65535, got 65536', { ...good, port: 65_536 }],
    ['"tokenPort" must be a whole number from 1 to 65535, got "5432"', { ...good, tokenPort: '5432' }],
    ['"listenHostname" must be a string', { ...good, listenHostname: 5 }],
    ['"iamUsers[1]" must be a string that is not empty, got number', { ...good, iamUsers: ['a', 5] }],
    [
      '"authenticationTimeoutMs" must be a whole number from 1 to 600000, got 0',
      { ...good, authenticationTimeoutMs: 0 },
    ],
    ['"now" must be a function that returns milliseconds, got number', { ...good, now: 5 }],
    ['"onLogin" must be a function of a login, got true', { ...good, onLogin: true }],
    [
      '"faults" must be an object of throttle, clockOffsetMs, tls, hang, revokedAccessKeys, got "thorttle"',
      { ...good, faults: { thorttle: {} } },
    ],
    [
      '"faults.tls" must be one of "off", "wrong-name", "other-ca", "expired", got "on"',
      { ...good, faults: { tls: 'on' } },
    ],
    ['"faults.hang" must be one of', { ...good, faults: { hang: true } }],
    ['"faults.clockOffsetMs" must be a number of milliseconds', { ...good, faults: { clockOffsetMs: '5' } }],
    [
      '"faults.throttle.connectionsPerSecond" must be a whole number from 0 to 1000000, got undefined',
      { ...good, faults: { throttle: { action: 'deny' } } },
    ],
    [
      '"faults.throttle.action" must be "deny", "delay" or "reset", got undefined',
      { ...good, faults: { throttle: { connectionsPerSecond: 1 } } },
    ],
    [
      '"faults.throttle.delayMs" must be a whole number',
      { ...good, faults: { throttle: { connectionsPerSecond: 1, action: 'delay', delayMs: -1 } } },
    ],
  ];
  test.each(bad)('%s', async (message, options) => {
    const error = await failure(startEmulator(options as EmulatorOptions));
    expect(error).toBeInstanceOf(TypeError);
    // A number may be a password: for a secret the message says "got number", for any other option its value.
    expect(
      error.message.replace(/, got \d+$/, (got) => (message.endsWith('got number') ? ', got number' : got)),
    ).toContain(message);
    expect(inspect(error)).not.toContain(secret);
    expect(inspect(error)).not.toContain(KEY.secretAccessKey);
  });

  test("an access key with the mark that AWS's SDK leaves on credentials that a client was given", async () => {
    const marked = { ...KEY, $source: { CREDENTIALS_CODE: 'e' } };
    await using emulator = await start({ accessKeys: [marked] });
    expect(await ask(emulator)).toHaveLength(1);
  });

  test('setFaults also checks, and changes nothing if that fails', async () => {
    await using emulator = await start();
    expect(() => emulator.setFaults({ tls: 'none' as 'off' })).toThrow('"faults.tls" must be one of');
    expect(await ask(emulator)).toHaveLength(1);
  });

  test('a port that is taken', async () => {
    await using emulator = await start();
    expect((await failure(start({ port: emulator.port }))).code).toBe('EADDRINUSE');
  });
});

describe('certificates', () => {
  test('have the given names and dates, and are signed by the authority', async () => {
    const authority = await createCertificateAuthority();
    const notAfter = new Date('2030-01-02T03:04:05Z');
    const { cert, key } = await authority.issue({ hostnames: ['db.internal', '10.0.0.1', '::1'], notAfter });
    const certificate = new X509Certificate(cert);
    const ca = new X509Certificate(authority.ca);
    expect(certificate.subjectAltName).toBe('DNS:db.internal, IP Address:10.0.0.1, IP Address:0:0:0:0:0:0:0:1');
    expect(certificate.checkIssued(ca) && certificate.verify(ca.publicKey)).toBe(true);
    expect(new Date(certificate.validTo)).toEqual(notAfter);
    expect([certificate.ca, ca.ca]).toEqual([false, true]);
    expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect(key).toContain('BEGIN PRIVATE KEY');
    await expect(authority.issue({ hostnames: [] })).rejects.toThrow('"hostnames" must name at least one host');
    expect((await createCertificateAuthority()).ca).not.toBe(authority.ca);
  });
});

describe('the object', () => {
  test('never shows a secret or a token', async () => {
    const session = {
      accessKeyId: 'ASIASESSION',
      secretAccessKey: 'session-secret-value',
      sessionToken: 'session-token-value',
    };
    const password = 'upstream-password-value';
    await using emulator = await start({ accessKeys: [KEY, session], upstream: { ...inject('postgres'), password } });
    const token = await sign(emulator, { credentials: session });
    await ask(emulator, { password: token });
    const error = await failure(ask(emulator, { password: `${token}x` }));
    const shown = [emulator, emulator.stats, error].flatMap((value) => [
      inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true }),
      JSON.stringify(value),
      String(value),
    ]);
    const signature = /X-Amz-Signature=(\w+)/.exec(token)?.[1] ?? 'none';
    for (const secret of [KEY.secretAccessKey, session.secretAccessKey, session.sessionToken, password, signature]) {
      expect(shown.join('\n')).not.toContain(secret);
    }
    expect(shown.join('\n')).not.toContain('PRIVATE KEY');
    expect(JSON.parse(JSON.stringify(emulator))).toEqual({
      hostname: 'localhost',
      port: emulator.port,
      ca: emulator.ca,
      stats: JSON.parse(JSON.stringify(emulator.stats)),
    });
  });

  test('later changes to its options have no effect', async () => {
    const accessKeys = [{ ...KEY }];
    const hostnames = ['localhost'];
    await using emulator = await start({ accessKeys, hostnames });
    accessKeys.push({ accessKeyId: 'AKIDLATE', secretAccessKey: 'late' });
    hostnames.push('late.example.com');
    for (const key of accessKeys.slice(0, 1)) key.secretAccessKey = 'changed';
    expect(await ask(emulator)).toHaveLength(1);
    const late = await sign(emulator, { credentials: { accessKeyId: 'AKIDLATE', secretAccessKey: 'late' } });
    expect((await failure(ask(emulator, { password: late }))).code).toBe('28000');
  });
});

describe('close', () => {
  test('ends everything, in any state, and may be called again', async () => {
    const emulator = await start();
    const session = client(emulator);
    await session.connect();
    const ended = new Promise((resolve) => session.once('error', resolve));
    const silent = await Wire.open(emulator);
    const half = await Wire.openTls(emulator);
    half.startup({ user: 'postgres' });
    await half.read();
    emulator.setFaults({ hang: 'before-tls' });
    const hanging = await Wire.open(emulator);
    await until(() => emulator.stats.connections === 4);
    const first = emulator.close();
    expect(emulator.close()).toBe(first);
    await first;
    await Promise.all([ended, silent.rest(), half.rest(), hanging.rest()]);
    expect(emulator.stats.open).toBe(0);
    expect((await failure(ask(emulator))).code).toBe('ECONNREFUSED');
    await emulator[Symbol.asyncDispose]();
  });

  test('leaves nothing that keeps a process alive', async () => {
    expect(await leavesNothing('postgres', inject('postgres'))).toBe('closed, with 0 sockets');
  });
});
