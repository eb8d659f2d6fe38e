import { expectNoSecrets } from '@rds-iam/test-servers';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import * as callbacks from '../src/index.js';
import * as connector from '../src/mariadb.js';
import * as promises from '../src/promise.js';
import { CREDENTIALS, REGION, type Stack, startStack } from './stack.js';
import { WAYS } from './ways.js';

const iam = { region: REGION, credentials: CREDENTIALS };
const good = { host: 'db.abc.eu-west-1.rds.amazonaws.com', user: 'app', iam };
const uri = (query: string) => ({ uri: `mysql://app@db.example.com/db?${query}`, iam });

describe('a configuration that cannot be right is refused at once, by name and with the fix', () => {
  const cases: [string, object | string, RegExp][] = [
    ['no hostname', { user: 'app', iam }, /"hostname" is missing.*RDS endpoint/],
    ['an empty hostname', { ...good, host: '' }, /"hostname" is missing/],
    ['no user', { host: good.host, iam }, /"username" is missing/],
    ['a Unix socket', { ...good, socketPath: '/run/mysqld.sock' }, /"socketPath" is a Unix socket.*RDS endpoint/],
    ['a Unix socket in a URI', uri('socketPath=/run/mysqld.sock'), /"socketPath" is a Unix socket/],
    ['port 0', { ...good, port: 0 }, /"port" must be a whole number from 1 to 65535, got the number 0/],
    ['a port that is too large', { ...good, port: 70_000 }, /"port".*70000/],
    ['a port that is not a number', { ...good, port: 'abc' }, /"port".*NaN/],
    ['port 0 in a URI', { uri: 'mysql://app@db.example.com:0/db', iam }, /"port".*the number 0/],
    ['ssl: false', { ...good, ssl: false }, /"ssl" is false.*remove "ssl"/],
    ['ssl: null', { ...good, ssl: null }, /"ssl" must be an object of TLS options or true, got null/],
    ['an empty string for ssl', { ...good, ssl: '' }, /"ssl" must be true or an object of TLS options/],
    ['an unknown profile', { ...good, ssl: 'no-verify' }, /"ssl" must be true or an object of TLS options/],
    ['rejectUnauthorized: false', { ...good, ssl: { rejectUnauthorized: false } }, /"ssl.rejectUnauthorized" is off/],
    ['verifyIdentity: false', { ...good, ssl: { verifyIdentity: false } }, /"ssl.verifyIdentity" is off/],
    [
      "the user's own host name check",
      { ...good, ssl: { checkServerIdentity: () => undefined } },
      /"ssl.checkServerIdentity"/,
    ],
    ['TLS 1.0', { ...good, ssl: { minVersion: 'TLSv1' } }, /"ssl.minVersion" allows TLSv1/],
    ['a path for a CA', { ...good, ssl: { ca: '/etc/ca.pem' } }, /"ssl.ca" must hold CA certificates in PEM/],
    ...[
      'sslmode=disable',
      'ssl-mode=PREFERRED',
      'sslMode=DISABLED',
      'useSSL=false',
      'requireSSL=false',
      'sslaccept=accept_invalid_certs',
      'verifyServerCertificate=false',
      'ssl=false',
      'tls=0',
    ].map((parameter): [string, object, RegExp] => [
      parameter,
      uri(parameter),
      new RegExp(`"${parameter}" in the connection URI weakens`),
    ]),
    // Frameworks that parse a URI pass on its parameters as options.
    ...Object.entries({
      sslmode: 'disable',
      'ssl-mode': 'DISABLED',
      sslaccept: 'accept_invalid_certs',
      useSSL: false,
    }).map(([name, value]): [string, object, RegExp] => [
      `the option ${name}`,
      { ...good, [name]: value },
      new RegExp(`"${name}=${value}" weakens the TLS that IAM authentication needs: remove it`),
    ]),
    [
      'weak TLS options in a URI',
      uri(`ssl=${encodeURIComponent('{"rejectUnauthorized":false}')}`),
      /"ssl.rejectUnauthorized" is off/,
    ],
    [
      'a profile in a URI',
      uri(`ssl=${encodeURIComponent('"no-verify"')}`),
      /"ssl" must be true or an object of TLS options/,
    ],
    ...['password', 'password1', 'password2', 'password3', 'passwordSha1'].map((name): [string, object, RegExp] => [
      name,
      { ...good, [name]: 'hunter2' },
      new RegExp(`"${name}" cannot be used with IAM.*"iam.enabled"`),
    ]),
    ['a password function', { ...good, password: () => 'hunter2' }, /"password" cannot be used with IAM/],
    ['a password in a URI', { uri: 'mysql://app:hunter2@db.example.com/db', iam }, /URI contains a password/],
    ['a password as a parameter', uri('password=hunter2'), /"password" cannot be used with IAM/],
    ['a password in a URI alone', 'mysql://app:hunter2@db.example.com/db', /URI contains a password/],
    ['a URI that is not a string', { uri: 7, iam }, /the connection URI cannot be parsed/],
    ['passwords of MySQL 4.0', { ...good, insecureAuth: true }, /"insecureAuth"/],
    ['an authSwitchHandler', { ...good, authSwitchHandler: () => {} }, /"authSwitchHandler"/],
    [
      'another mysql_clear_password',
      { ...good, authPlugins: { mysql_clear_password: () => () => 'hunter2' } },
      /"authPlugins.mysql_clear_password"/,
    ],
    ['a ready-made stream', { ...good, stream: {} }, /"stream" must be a function/],
    ['an unknown IAM option', { ...good, iam: { ...iam, regoin: 'x' } }, /unknown IAM option "regoin"/],
    ['IAM options that are none', { ...good, iam: true }, /the IAM options must be an object.*got true/],
  ];
  const makers: [string, (config: never) => unknown][] = [
    ['createPool', callbacks.createPool],
    ['createConnection', callbacks.createConnection],
    ['createPool of /promise', promises.createPool],
    ['createPool of /mariadb', connector.createPool],
    ['a cluster', (config: never) => callbacks.createPoolCluster().add('node', config)],
    ['a cluster of /promise', (config: never) => promises.createPoolCluster().add('node', config)],
  ];

  test.each(cases)('%s', async (_, config, message) => {
    const refusal = expect.objectContaining({ code: 'ERR_RDS_IAM_CONFIG', message: expect.stringMatching(message) });
    for (const [name, make] of makers) expect(() => make(config as never), name).toThrow(refusal);
    for (const createConnection of [promises.createConnection, connector.createConnection]) {
      await expect(createConnection(config as never)).rejects.toEqual(refusal);
    }
  });

  test('wrong IAM options of a cluster', () => {
    for (const { createPoolCluster } of [callbacks, promises]) {
      expect(() => createPoolCluster({ iam: { regoin: 'x' } as never })).toThrow(/unknown IAM option "regoin"/);
    }
  });

  test('a password that a framework makes non-enumerable', () => {
    const driver = callbacks.mysql2Driver(callbacks.createRdsIam(iam));
    for (const make of [driver.createConnection, driver.createPool]) {
      const hidden = Object.defineProperty({ ...good, iam: undefined }, 'password', { value: 'hunter2' });
      expect(() => make(hidden)).toThrow(/"password" cannot be used with IAM/);
    }
  });

  test('but not the empty password that frameworks pass on if they were given none', () => {
    for (const { createPool } of [callbacks, promises]) {
      expect(() => createPool({ ...good, password: '' } as never)).not.toThrow();
    }
  });

  test('with IAM off, a URI beside other options of the mariadb connector, which would read only one of the two', () => {
    const beside = { uri: 'mariadb://app@db/shop', connectionLimit: 1, iam: { enabled: false } };
    expect(() => connector.createPool(beside as object)).toThrow(/"uri" excludes "connectionLimit"/);
  });

  test('and a password is never printed', () => {
    for (const config of [
      { ...good, password: 'hunter2' },
      { uri: 'mysql://app:hunter2@db/db?sslmode=hunter2', iam },
      { uri: '//app:hunter2@db:99999', iam },
    ]) {
      try {
        callbacks.createPool(config as never);
        expect.unreachable();
      } catch (error) {
        expectNoSecrets(error, ['hunter2']);
      }
    }
  });

  test.each([
    ['the RDS profile', { ...good, ssl: 'Amazon RDS' }],
    ['what IAM does anyway', { ...good, ssl: { rejectUnauthorized: true, verifyIdentity: true } }],
    ['the same in a URI', uri('ssl-mode=VERIFY_IDENTITY&useSSL=true&ssl=Amazon%20RDS')],
    ['TLS as a text, as from a URI', { ...good, ssl: 'true' }],
    ['the same as options', { ...good, sslmode: 'verify-full', useSSL: 'true' }],
    ['a setting for clear text', { ...good, enableCleartextPlugin: false }],
  ])('but %s is fine, without a warning from mysql2', async (_, config) => {
    const warnings = vi.spyOn(console, 'error').mockImplementation(() => {});
    const connection = callbacks.createConnection(config as never);
    connection.on('error', () => {});
    connection.destroy();
    expect(warnings).not.toHaveBeenCalled();
    warnings.mockRestore();
  });

  test('a connection URL can be checked on its own, for frameworks that parse it themselves', () => {
    const refused = 'mysql://app:hunter2@db.example.com/db';
    for (const { checkConnectionUrl } of [callbacks, connector]) {
      expect(() => checkConnectionUrl(refused)).toThrow(/URI contains a password/);
      expect(() => checkConnectionUrl('mysql://app@db.example.com/db?ssl-mode=DISABLED')).toThrow(
        /"ssl-mode=DISABLED"/,
      );
      checkConnectionUrl('mysql://app@db.example.com/db?ssl-mode=VERIFY_IDENTITY');
    }
  });
});

describe('a login that cannot succeed', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
  });
  afterEach(() => stack.emulator.setFaults({}));
  afterAll(() => stack[Symbol.asyncDispose]());

  /** The error, which is the same for every way to connect. */
  const failureOf = async (config: object): Promise<Error & { code: string; cause: { code?: string } }> => {
    let first: (Error & { code: string; cause: { code?: string } }) | undefined;
    for (const [way, connect] of Object.entries(WAYS)) {
      const failure = await connect({ ...stack.config, ...config });
      expect(failure, way).toMatchObject({
        name: 'RdsIamError',
        code: (first ?? (failure as Error & { code: string })).code,
      });
      first ??= failure as typeof first;
    }
    await vi.waitFor(() => expect(stack.emulator.stats.open).toBe(0), 10_000);
    expect(await stack.sessions()).toBe(0);
    return first ?? expect.unreachable();
  };

  test('without a region', async () => {
    const failure = await failureOf({ iam: { ...stack.iam, region: undefined } });
    expect(failure).toMatchObject({ code: 'ERR_RDS_IAM_REGION' });
    expect(failure.message).toMatch(/no AWS region for "localhost".*set "region" or AWS_REGION/);
  });

  test('without credentials', async () => {
    const failure = await failureOf({ iam: { ...stack.iam, credentials: undefined } });
    expect(failure).toMatchObject({ code: 'ERR_RDS_IAM_CREDENTIALS', cause: { name: 'CredentialsProviderError' } });
  });

  test('with expired credentials, or a provider that fails', async () => {
    const credentials = { ...CREDENTIALS, expiration: new Date(Date.now() - 1_000) };
    expect((await failureOf({ iam: { ...stack.iam, credentials } })).message).toMatch(/the AWS credentials expired at/);
    const failing = async () => Promise.reject(new Error('the session has ended'));
    expect(await failureOf({ iam: { ...stack.iam, credentials: failing } })).toMatchObject({
      code: 'ERR_RDS_IAM_CREDENTIALS',
      cause: { message: 'the session has ended' },
    });
  });

  test('at a host that cannot be reached, or whose name is not in DNS', async () => {
    const iam = { ...stack.iam, retry: { timeoutMs: 100, baseDelayMs: 10, maxDelayMs: 20 }, resolveCname: false };
    expect(await failureOf({ port: 1, iam: { ...iam, retry: false } })).toMatchObject({
      code: 'ERR_RDS_IAM_UNREACHABLE',
      cause: { code: 'ECONNREFUSED' },
      port: 1,
      hostname: 'localhost',
      username: stack.username,
    });
    const unknown = await failureOf({ host: 'nobody.invalid', iam });
    expect(unknown.code).toBe('ERR_RDS_IAM_UNREACHABLE');
    expect(unknown.cause.code).toMatch(/ENOTFOUND|EAI_AGAIN/);
  });

  test.each([
    ['off', undefined, /the server does not offer TLS\n.*does not offer TLS, so no token was sent/],
    [
      'other-ca',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      /\n {2}1\. the certificate's authority is not trusted; trusted are those of "ca"/,
    ],
    ['wrong-name', 'ERR_TLS_CERT_ALTNAME_INVALID', /2\. the certificate is for another name/],
    ['expired', 'CERT_HAS_EXPIRED', /certificate has expired/],
  ] as const)('at a server with TLS %s', async (tls, causeCode, message) => {
    stack.emulator.setFaults({ tls });
    const failure = await failureOf({});
    expect(failure).toMatchObject({ code: 'ERR_RDS_IAM_TLS', attempts: 1 });
    expect((failure.cause as { code?: string }).code).toBe(causeCode);
    expect(failure.message).toMatch(message);
  });

  test('as a user who does not exist, or has no AWSAuthenticationPlugin: no token is sent', async () => {
    await using strict = await startStack({ iamUsers: ['somebody_else'] });
    for (const user of [strict.username, 'unknown_user']) {
      for (const [way, connect] of Object.entries(WAYS)) {
        const failure = await connect({ ...strict.config, user });
        expect(failure, way).toMatchObject({ code: 'ERR_RDS_IAM_REFUSED', username: user, attempts: 1 });
        expect((failure as Error).message, way).toMatch(
          /no token was sent.*IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'/,
        );
      }
    }
  });

  test('as a user whose policy is missing', async () => {
    await using strict = await startStack({ accessKeys: [{ ...CREDENTIALS, usernames: ['somebody_else'] }] });
    const config = { ...strict.config, iam: { ...strict.iam, retry: { patienceMs: 0 } } };
    for (const [way, connect] of Object.entries(WAYS)) {
      const failure = (await connect(config)) as Error;
      expect(failure, way).toMatchObject({
        code: 'ERR_RDS_IAM_REFUSED',
        attempts: 1,
        cause: { code: 'ER_ACCESS_DENIED_ERROR', errno: 1045, sqlState: '28000' },
      });
      expect(failure.message).toMatch(/Access denied for user.*rds-db:connect/s);
      expect(failure.message).toContain("IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'");
      expect(failure.message).not.toContain('rds_iam');
    }
  });

  test('on a database that does not exist', async () => {
    expect(await failureOf({ database: 'nowhere' })).toMatchObject({
      code: 'ERR_RDS_IAM_LOGIN',
      attempts: 1,
      cause: { code: expect.stringMatching(/ER_BAD_DB_ERROR|ER_DBACCESS_DENIED_ERROR/) },
    });
  });
});
