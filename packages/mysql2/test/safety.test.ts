import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { authSwitch, type MysqlManner, packet, startRecordingMysql } from '@rds-iam/conformance';
import { type CertificateAuthority, createCertificateAuthority } from '@rds-iam/emulator';
import { expectNoSecrets } from '@rds-iam/test-servers';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createConnection, createPool, createRdsIam } from '../src/promise.js';
import { CREDENTIALS, REGION, type Stack, startStack } from './stack.js';
import { WAYS } from './ways.js';

let authority: CertificateAuthority;
beforeAll(async () => {
  authority = await createCertificateAuthority();
});
const iamFor = (more: object = {}) => ({
  region: REGION,
  credentials: CREDENTIALS,
  ca: authority.ca,
  retry: { timeoutMs: 5_000, baseDelayMs: 1, maxDelayMs: 1, maxRefusals: 2 },
  ...more,
});
const ways = Object.entries(WAYS);

describe('a token never goes out on a socket that is not encrypted to a verified peer', () => {
  const expired = { notBefore: new Date('2020-01-01'), notAfter: new Date('2020-02-01') };
  const manners: [string, () => Promise<MysqlManner>, string][] = [
    ['has no TLS', async () => 'has no TLS', 'ERR_RDS_IAM_TLS'],
    ['offers TLS and goes on in clear', async () => 'offers TLS and goes on in clear', 'ERR_RDS_IAM_TLS'],
    [
      'asks for the password before anything else',
      async () => 'asks for the password before anything else',
      'ERR_RDS_IAM_LOGIN',
    ],
    [
      'asks for the password within its greeting',
      async () => 'asks for the password within its greeting',
      'ERR_RDS_IAM_LOGIN',
    ],
    [
      'has a certificate of another CA',
      async () => (await createCertificateAuthority()).issue({ hostnames: ['localhost'] }),
      'ERR_RDS_IAM_TLS',
    ],
    [
      'has a certificate for another name',
      () => authority.issue({ hostnames: ['other.example.com'] }),
      'ERR_RDS_IAM_TLS',
    ],
    ['has an expired certificate', () => authority.issue({ hostnames: ['localhost'], ...expired }), 'ERR_RDS_IAM_TLS'],
  ];
  const configs: [string, (port: number) => object][] = [
    ['fields', (port) => ({ host: 'localhost', port, user: 'app' })],
    ['TLS options', (port) => ({ host: 'localhost', port, user: 'app', ssl: { rejectUnauthorized: true } })],
    ['an address', (port) => ({ host: '127.0.0.1', port, user: 'app', ssl: { servername: 'localhost' } })],
    ['a URI', (port) => ({ uri: `mysql://app@localhost:${port}/db?ssl-mode=REQUIRED` })],
    ['a switch for clear text', (port) => ({ host: 'localhost', port, user: 'app', enableCleartextPlugin: true })],
  ];

  describe.each(manners)('to a server that %s', (_, manner, code) => {
    test.each(['', '0'])('with NODE_TLS_REJECT_UNAUTHORIZED=%s', async (rejects) => {
      await using server = await startRecordingMysql(await manner());
      if (rejects) vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', rejects);
      try {
        for (const [name, config] of configs) {
          for (const [way, connect] of ways) {
            const error = await connect({ ...config(server.port), iam: iamFor() });
            expect(error, `${way} with ${name}`).toMatchObject({ name: 'RdsIamError', code, attempts: 1 });
          }
        }
      } finally {
        vi.unstubAllEnvs();
      }
      expect(server.received()).not.toMatch(/X-Amz|Action=connect/);
    });
  });

  test('nor to a server that wants another login than with a token', async () => {
    const certificate = await authority.issue({ hostnames: ['localhost'] });
    const asks: [Buffer, RegExp][] = [
      ...['mysql_native_password', 'caching_sha2_password', 'sha256_password', 'dialog'].map(
        (plugin): [Buffer, RegExp] => [
          authSwitch(3, plugin),
          new RegExp(`asks for ${plugin}.*IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'`),
        ],
      ),
      [packet(3, Buffer.from([0xfe])), /asks for mysql_old_password/],
      [packet(3, Buffer.from([1, 4])), /another way of logging in/],
      [packet(3, Buffer.from([0, 0, 0, 2, 0, 0, 0])), /let this user in without asking/],
      [
        packet(3, Buffer.from("\xff\x15\x04#28000Access denied for user 'app' (using password: NO)", 'latin1')),
        /refuses this user without asking for a token/,
      ],
    ];
    for (const [answer, message] of asks) {
      await using server = await startRecordingMysql({ ...certificate, asks: answer });
      for (const [way, connect] of ways) {
        const error = await connect({ host: 'localhost', port: server.port, user: 'app', iam: iamFor() });
        expect(error, way).toMatchObject({
          code: 'ERR_RDS_IAM_REFUSED',
          message: expect.stringMatching(message),
          attempts: 1,
        });
      }
      expect(server.received()).toContain('app');
      expect(server.received()).not.toMatch(/X-Amz|Action=connect/);
    }
  });

  // Without this, the tests above would pass for a client that never sends anything.
  test.each(ways)('and the recording server would have seen it, by %s', async (_, connect) => {
    await using server = await startRecordingMysql(await authority.issue({ hostnames: ['localhost'] }));
    const iam = iamFor({ retry: false });
    const error = await connect({ host: 'localhost', port: server.port, user: 'app', iam });
    expect(error, 'asked a second time').toMatchObject({ message: expect.stringContaining('more than the token') });
    expect(server.received().match(/Action=connect.*?X-Amz-Signature=[0-9a-f]{64}/g)).toHaveLength(1);
  });
});

describe('no secret is in an error, an event, or what inspect and JSON show', () => {
  const credentials = { ...CREDENTIALS, accessKeyId: 'ASIAEXAMPLE', sessionToken: 'IQoJb3JpZ2luX2VjEJrSESSIONTOKEN' };
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({ accessKeys: [credentials] });
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  test.each([
    ['that works', {}, undefined],
    ['that is refused', { clockOffsetMs: 3_600_000 }, 'ERR_RDS_IAM_REFUSED'],
    [
      'that is reset',
      { throttle: { connectionsPerSecond: 0, action: 'reset', counting: 'logins' } },
      'ERR_RDS_IAM_UNREACHABLE',
    ],
    ['to a server of another CA', { tls: 'other-ca' }, 'ERR_RDS_IAM_TLS'],
    ['to a server without TLS', { tls: 'off' }, 'ERR_RDS_IAM_TLS'],
    ['that hangs after the password', { hang: 'after-password' }, 'ERR_RDS_IAM_UNREACHABLE'],
  ] as const)('for a login %s', async (_, faults, code) => {
    stack.emulator.setFaults(faults);
    const events: unknown[] = [];
    const listen = (event: unknown) => events.push(event);
    const channels = ['token:signed', 'connection:admitted', 'connection:attempt-failed', 'connection:gave-up'];
    for (const channel of channels) subscribe(`rds-iam:${channel}`, listen);
    const iam = createRdsIam({
      ...stack.iam,
      credentials,
      // Only what goes on until the deadline should come to it, however busy the machine.
      retry: {
        timeoutMs: code === 'ERR_RDS_IAM_UNREACHABLE' ? 300 : 20_000,
        baseDelayMs: 1,
        maxDelayMs: 5,
        maxRefusals: 2,
      },
    });
    const pool = createPool({ ...stack.config, iam });
    const outcomes = await Promise.all([
      pool.query('select 1').catch((error: unknown) => error),
      createConnection({ ...stack.config, iam }).catch((error: unknown) => error),
      ...ways.map(([, connect]) => connect({ ...stack.config, iam })),
    ]);
    if (code) for (const outcome of outcomes) expect(outcome).toMatchObject({ code });
    for (const channel of channels) unsubscribe(`rds-iam:${channel}`, listen);
    expect(events.length).toBeGreaterThan(1);

    const shown = [pool, iam, outcomes, events].map((value) =>
      inspect(value, { depth: 12, maxStringLength: null, maxArrayLength: null, showHidden: true }),
    );
    const secrets = [credentials.secretAccessKey, credentials.sessionToken];
    expectNoSecrets([shown, outcomes, events], secrets);
    await pool.end();
    const [, connection] = outcomes;
    if (!code) await (connection as { end(): Promise<void> }).end();
  });
});
