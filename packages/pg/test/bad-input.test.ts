import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Client, checkConnectionUrl, createRdsIam, Pool, pgDriver } from '../src/index.js';
import { CREDENTIALS, REGION, type Stack, startStack } from './stack.js';

const iam = { region: REGION, credentials: CREDENTIALS };
const good = { host: 'db.abc.eu-west-1.rds.amazonaws.com', user: 'app', iam };

describe('a configuration that cannot be right is refused at once, by name and with the fix', () => {
  const cases: [string, object | string, RegExp][] = [
    ['no hostname', { user: 'app', iam }, /"hostname" is missing.*RDS endpoint/],
    ['an empty hostname', { ...good, host: '' }, /"hostname" is missing/],
    ['a Unix socket', { ...good, host: '/var/run/postgresql' }, /Unix socket.*RDS endpoint/],
    ['a Unix socket in a URL', { connectionString: 'postgresql://app@%2Fvar%2Frun/db', iam }, /Unix socket/],
    ['port 0', { ...good, port: 0 }, /"port" must be a whole number from 1 to 65535, got the number 0/],
    ['a port that is too large', { ...good, port: 70_000 }, /"port".*70000/],
    ['a port that is not a number', { ...good, port: 'abc' }, /"port".*NaN/],
    ['ssl: false', { ...good, ssl: false }, /"ssl" is false.*remove "ssl"/],
    ['rejectUnauthorized: false', { ...good, ssl: { rejectUnauthorized: false } }, /"ssl.rejectUnauthorized" is off/],
    [
      "the user's own host name check",
      { ...good, ssl: { checkServerIdentity: () => undefined } },
      /"ssl.checkServerIdentity"/,
    ],
    ['a string for ssl', { ...good, ssl: 'no-verify' }, /"ssl" must be an object of TLS options or true, got a string/],
    ...['disable', 'allow', 'prefer', 'no-verify', 'bogus'].map((mode): [string, object, RegExp] => [
      `sslmode=${mode}`,
      { connectionString: `postgres://app@db.example.com/db?sslmode=${mode}`, iam },
      new RegExp(`"connectionString" has "sslmode=${mode}" in it.*sslmode=verify-full`),
    ]),
    [
      'ssl=false in a URL',
      { connectionString: 'postgres://app@db.example.com/db?ssl=false', iam },
      /"connectionString" has "ssl=false" in it/,
    ],
    [
      'a CA file that does not exist',
      { connectionString: 'postgres://app@db.example.com/db?sslrootcert=/nowhere.pem', iam },
      /"connectionString" cannot be parsed/,
    ],
    ['a password', { ...good, password: 'hunter2' }, /"password" cannot be used with IAM.*"iam.enabled"/],
    ['a password function', { ...good, password: () => 'hunter2' }, /"password" cannot be used with IAM/],
    [
      'a password in a URL',
      { connectionString: 'postgres://app:hunter2@db.example.com/db', iam },
      /"connectionString" contains a password/,
    ],
    ['a password in a URL alone', 'postgres://app:hunter2@db.example.com/db', /"connectionString" contains a password/],
    ['a URL that is not a string', { connectionString: 7, iam }, /"connectionString" must be a string/],
    ['an unknown IAM option', { ...good, iam: { ...iam, regoin: 'x' } }, /unknown IAM option "regoin"/],
    ['IAM options that are none', { ...good, iam: true }, /the IAM options must be an object.*got true/],
    [
      'a connection of its own',
      { ...good, connection: {} },
      /"connection" is a connection that does not log in with IAM/,
    ],
    ['a client of plain pg', { ...good, Client: class {} }, /"Client" must be the Client of @rds-iam\/pg/],
  ];

  test.each(cases)('%s', (name, config, message) => {
    const refusal = expect.objectContaining({ code: 'ERR_RDS_IAM_CONFIG', message: expect.stringMatching(message) });
    if (typeof config !== 'string') expect(() => new Pool(config)).toThrow(refusal);
    if (name !== 'a client of plain pg') expect(() => new Client(config as never)).toThrow(refusal);
  });

  test('a password that a framework makes non-enumerable', () => {
    const driver = pgDriver(createRdsIam(iam));
    for (const Class of [driver.Client, driver.Pool]) {
      const hidden = Object.defineProperty({ ...good, iam: undefined }, 'password', { value: 'hunter2' });
      expect(() => new Class(hidden)).toThrow(/"password" cannot be used with IAM/);
    }
  });

  test('but not a URL without a port', () => {
    expect(new Client('postgres://app@db.example.com/shop')).toMatchObject({ host: 'db.example.com', port: 5432 });
  });

  test('but not the empty password that frameworks pass on if they were given none', () => {
    expect(() => new Client({ ...good, password: '' } as never)).not.toThrow();
  });

  test('a connection URL can be checked on its own, for frameworks that parse it themselves', () => {
    expect(() => checkConnectionUrl('postgres://app:hunter2@db.example.com/db')).toThrow(/contains a password/);
    expect(() => checkConnectionUrl('postgres://app@db.example.com/db?sslmode=disable')).toThrow(/"sslmode=disable"/);
    checkConnectionUrl('postgres://app@db.example.com/db?sslmode=verify-full');
  });

  test('and a password is never printed', () => {
    for (const config of [
      { ...good, password: 'hunter2' },
      { connectionString: 'postgres://app:hunter2@db/db?sslmode=hunter2', iam },
    ]) {
      expect(() => new Pool(config as never)).toThrow(
        expect.objectContaining({ message: expect.not.stringMatching(/: ?hunter2|hunter2@/) }),
      );
    }
  });
});

test("a password that pg hides, as in a pool's options, is refused with IAM and used without it", () => {
  const off = { iam: { enabled: false } };
  const { options } = new Pool({ ...good, ...off, password: 'hunter2' }) as unknown as { options: object };
  expect(Object.keys(options)).not.toContain('password');
  expect(() => new Pool(Object.assign(options, { iam }))).toThrow(/"password" cannot be used with IAM/);
  for (const again of [new Pool(Object.assign(options, off)), new Client(Object.assign(options, off))]) {
    expect('options' in again ? again.options : again).toMatchObject({ password: 'hunter2' });
  }
});

describe('a login that cannot succeed', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
  });
  afterEach(() => {
    vi.useRealTimers();
    stack.emulator.setFaults({});
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  const failureOf = async (config: object): Promise<Error & { code: string; cause: { code?: string } }> => {
    const pool = new Pool({ ...stack.config, ...config } as never);
    const failure = await pool.query('select 1').then(
      () => expect.unreachable('the login succeeded'),
      (error) => error,
    );
    expect(pool.totalCount).toBe(0);
    await pool.end();
    await vi.waitFor(() => expect(stack.emulator.stats.open).toBe(0), 10_000);
    expect(await stack.sessions()).toBe(0);
    return failure;
  };

  test('without a region', async () => {
    const failure = await failureOf({ iam: { ...stack.iam, region: undefined } });
    expect(failure).toMatchObject({ code: 'ERR_RDS_IAM_REGION' });
    expect(failure.message).toMatch(/no AWS region for "localhost".*set "region" or AWS_REGION/);
  });

  test('without credentials', async () => {
    const failure = await failureOf({ iam: { ...stack.iam, credentials: undefined } });
    expect(failure).toMatchObject({ code: 'ERR_RDS_IAM_CREDENTIALS', cause: { name: 'CredentialsProviderError' } });
    expect(failure.message).toMatch(/AWS_PROFILE/);
  });

  test('with expired credentials', async () => {
    const credentials = { ...CREDENTIALS, expiration: new Date(Date.now() - 1_000) };
    const failure = await failureOf({ iam: { ...stack.iam, credentials } });
    expect(failure).toMatchObject({ code: 'ERR_RDS_IAM_CREDENTIALS' });
    expect(failure.message).toMatch(/the AWS credentials expired at .*renew them/);
  });

  test('with a provider that fails at once, or later', async () => {
    const failing = async () => Promise.reject(new Error('the session has ended'));
    expect(await failureOf({ iam: { ...stack.iam, credentials: failing } })).toMatchObject({
      code: 'ERR_RDS_IAM_CREDENTIALS',
      cause: { message: 'the session has ended' },
    });

    vi.useFakeTimers({ toFake: ['Date'] });
    let fails = false;
    const credentials = () => (fails ? failing() : Promise.resolve(CREDENTIALS));
    const pool = new Pool({ ...stack.config, iam: { ...stack.iam, credentials, retry: false } });
    const session = await pool.connect();
    fails = true;
    vi.setSystemTime(Date.now() + 14 * 60_000);
    expect((await pool.query('select 1 as one')).rows, 'the current token is good for another minute').toEqual([
      { one: 1 },
    ]);
    await pool.connect().then((client) => client.release(true));
    vi.setSystemTime(Date.now() + 60_000);
    await expect(pool.connect()).rejects.toMatchObject({
      code: 'ERR_RDS_IAM_CREDENTIALS',
      cause: { message: 'the session has ended' },
    });
    expect((await session.query('select 2 as two')).rows).toEqual([{ two: 2 }]);
    session.release();
    await pool.end();
  });

  test('at a host that cannot be reached', async () => {
    const iam = { ...stack.iam, retry: { timeoutMs: 500, baseDelayMs: 10, maxDelayMs: 20 } };
    const failure = await failureOf({ port: 1, iam });
    expect(failure).toMatchObject({
      code: 'ERR_RDS_IAM_UNREACHABLE',
      cause: { code: 'ECONNREFUSED' },
      port: 1,
      hostname: 'localhost',
    });
    expect(failure.message).toMatch(
      /could not reach localhost:1 as ".*" after \d+ attempts.*\(ECONNREFUSED\)\n {2}1\. no route: the security group/,
    );
  });

  test('at a host whose name is not in DNS', async () => {
    const failure = await failureOf({ host: 'nobody.invalid', iam: { ...stack.iam, resolveCname: false } });
    expect(failure).toMatchObject({ code: 'ERR_RDS_IAM_UNREACHABLE' });
    expect(failure.cause.code).toMatch(/ENOTFOUND|EAI_AGAIN/);
  });

  test.each([
    ['off', undefined, /does not offer TLS/],
    [
      'other-ca',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      /\(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)\n {2}1\. the certificate's authority is not trusted/,
    ],
    [
      'wrong-name',
      'ERR_TLS_CERT_ALTNAME_INVALID',
      /2\. the certificate is for another name: connect by the RDS endpoint/,
    ],
    ['expired', 'CERT_HAS_EXPIRED', /certificate has expired/],
  ] as const)('at a server with TLS %s', async (tls, causeCode, message) => {
    stack.emulator.setFaults({ tls });
    const failure = await failureOf({});
    expect(failure.code).toBe('ERR_RDS_IAM_TLS');
    expect(failure.cause.code).toBe(causeCode);
    expect(failure.message).toMatch(message);
    expect(failure).toMatchObject({ attempts: 1 });
  });

  test('as a user who does not exist, or has no rds_iam: no token is sent', async () => {
    await using strict = await startStack({ iamUsers: ['somebody_else'] });
    for (const user of [strict.username, 'unknown_user']) {
      const pool = new Pool({ ...strict.config, user });
      const failure = await pool.query('select 1').catch((error) => error);
      expect(failure).toMatchObject({ code: 'ERR_RDS_IAM_REFUSED', username: user, attempts: 1 });
      expect(failure.message).toMatch(/asks for a stored password.*GRANT rds_iam/s);
      await vi.waitFor(() => expect(strict.emulator.stats.open, 'it is us who hang up').toBe(0), 10_000);
      await pool.end();
    }
  });

  test('as a user whose policy is missing, after a few tries', async () => {
    await using strict = await startStack({ accessKeys: [{ ...CREDENTIALS, usernames: ['somebody_else'] }] });
    const pool = new Pool(strict.config);
    const failure = await pool.query('select 1').catch((error) => error);
    expect(failure).toMatchObject({
      code: 'ERR_RDS_IAM_REFUSED',
      attempts: expect.any(Number),
      cause: { code: '28000', routine: 'auth_failed' },
    });
    expect(failure.message).toContain('PAM authentication failed for user');
    expect(failure.message).toContain('rds-db:connect');
    await pool.end();
  });

  test('on a database that does not exist', async () => {
    expect(await failureOf({ database: 'nowhere' })).toMatchObject({
      code: 'ERR_RDS_IAM_LOGIN',
      message: expect.stringContaining('database "nowhere" does not exist (3D000)'),
      cause: { code: '3D000' },
    });
  });
});
