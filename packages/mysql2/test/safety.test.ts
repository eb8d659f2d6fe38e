import { authSwitch, describeDriverSafety, packet, startRecordingMysql } from '@rds-iam/conformance';
import { type CertificateAuthority, createCertificateAuthority } from '@rds-iam/emulator';
import { beforeAll, describe, expect, test } from 'vitest';
import { createConnection, createPool, type PoolOptions } from '../src/promise.js';
import { CREDENTIALS, REGION } from './stack.js';
import { WAYS } from './ways.js';

describeDriverSafety({
  engine: 'mysql',
  ways: WAYS,
  addresses: {
    fields: (port) => ({ host: 'localhost', port }),
    'TLS options': (port) => ({ host: 'localhost', port, ssl: { rejectUnauthorized: true } }),
    'an address': (port) => ({ host: '127.0.0.1', port, ssl: { servername: 'localhost' } }),
    'a URI': (port) => ({ uri: `mysql://app@localhost:${port}/db?ssl-mode=REQUIRED` }),
    'a switch for clear text': (port) => ({ host: 'localhost', port, enableCleartextPlugin: true }),
  },
  hold(options: PoolOptions) {
    const pool = createPool(options);
    const connection = createConnection(options);
    return {
      objects: [pool],
      outcomes: Promise.all(
        [pool.query('select 1'), connection].map((login) => login.catch((error: unknown) => error)),
      ),
      async [Symbol.asyncDispose]() {
        await pool.end();
        await connection.then(
          (opened) => opened.end(),
          () => {},
        );
      },
    };
  },
});

describe('a token', () => {
  let authority: CertificateAuthority;
  beforeAll(async () => {
    authority = await createCertificateAuthority();
  });
  const optionsFor = (port: number) => ({
    ...{ host: 'localhost', port, user: 'app' },
    iam: {
      region: REGION,
      credentials: CREDENTIALS,
      ca: authority.ca,
      retry: { timeoutMs: 5_000, baseDelayMs: 1, maxDelayMs: 1, patienceMs: 0 },
    },
  });

  test('is not sent to a server that asks for anything but a token', async () => {
    const certificate = await authority.issue({ hostnames: ['localhost'] });
    const asks: [Buffer, RegExp][] = [
      ...['mysql_native_password', 'caching_sha2_password', 'sha256_password', 'dialog'].map(
        (plugin): [Buffer, RegExp] => [
          authSwitch(3, plugin),
          new RegExp(`asks for ${plugin}.*IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'`, 's'),
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
      for (const [way, logIn] of Object.entries(WAYS)) {
        expect(await logIn(optionsFor(server.port)), way).toMatchObject({
          code: 'ERR_RDS_IAM_REFUSED',
          message: expect.stringMatching(message),
          attempts: 1,
        });
      }
      expect(server.received()).toContain('app');
      expect(server.received()).not.toMatch(/X-Amz|Action=connect/);
    }
  });

  test.each(Object.entries(WAYS))(
    'is sent once, whatever the server asks for after that, with %s',
    async (_, logIn) => {
      await using server = await startRecordingMysql(await authority.issue({ hostnames: ['localhost'] }));
      expect(await logIn(optionsFor(server.port))).toMatchObject({
        message: expect.stringMatching(/more than the token|a packet out of order/),
      });
      expect(server.received().match(/Action=connect.*?X-Amz-Signature=[0-9a-f]{64}/g)).toHaveLength(1);
    },
  );
});
