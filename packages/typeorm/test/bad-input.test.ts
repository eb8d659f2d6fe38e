import { CREDENTIALS, REGION } from '@rds-iam/conformance';
import { DataSource } from 'typeorm';
import { describe, expect, test } from 'vitest';
import { type RdsIamDataSourceOptions, withRdsIam } from '../src/index.js';

const iam = { region: REGION, credentials: CREDENTIALS };
const host = 'db.abc.eu-west-1.rds.amazonaws.com';
const node = { host, username: 'app', database: 'shop' };
const url = (type: string, rest = '') => `${type}://app@${host}/shop${rest}`;

/** URL parameters that mysql2 would read and that weaken TLS. */
const WEAKENING = [
  'ssl={"rejectUnauthorized":false}',
  'ssl={"verifyIdentity":false}',
  'ssl={"minVersion":"TLSv1"}',
  'ssl="none"',
  'ssl=none',
  'ssl=false',
  'ssl=0',
  'tls=skip-verify',
  'rejectUnauthorized=false',
];

/** The error for the options, from `withRdsIam` or else from `initialize`. */
async function refusalOf(options: object): Promise<unknown> {
  try {
    const dataSource = new DataSource(withRdsIam(options as RdsIamDataSourceOptions));
    await dataSource.initialize();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('what cannot be right is refused by name and with the fix', () => {
  test.each<[string, object, RegExp]>([
    ['aurora-postgres', { type: 'aurora-postgres', iam }, /"type" is aurora-postgres.*Data API.*needs no token/],
    ['aurora-mysql', { type: 'aurora-mysql', iam }, /"type" is aurora-mysql.*Data API.*needs no token/],
    [
      'another database',
      { type: 'better-sqlite3', database: ':memory:', iam },
      /"type" must be "postgres", "mysql" or/,
    ],
    ['a database that only resembles PostgreSQL', { type: 'cockroachdb', ...node, iam }, /"type" must be/],
    ['no type', { ...node, iam }, /"type" must be/],
    ['a driver for postgres', { type: 'postgres', ...node, driver: {}, iam }, /"driver" would replace the IAM login/],
    ['a driver for mysql', { type: 'mysql', ...node, driver: {}, iam }, /"driver" would replace the IAM login/],
    ['pg-native', { type: 'postgres', ...node, nativeDriver: {}, iam }, /"nativeDriver" would replace the IAM login/],
    ['an unknown IAM option', { type: 'mysql', ...node, iam: { regoin: 'x' } }, /unknown IAM option "regoin"/],
    ['a master alone', { type: 'mysql', replication: { master: node }, iam }, /"replication" must have.*"slaves"/],
    ['a Unix socket', { type: 'mysql', ...node, socketPath: '/run/mysqld.sock', iam }, /"socketPath" is a Unix socket/],
    ['insecureAuth', { type: 'mysql', ...node, insecureAuth: true, iam }, /"insecureAuth"/],
  ])('%s', async (_, options, message) => {
    expect(await refusalOf(options)).toMatchObject({
      code: 'ERR_RDS_IAM_CONFIG',
      message: expect.stringMatching(message),
    });
  });

  describe.each(['postgres', 'mysql', 'mariadb'])('%s:', (type) => {
    const weakening = /"sslmode=disable" in (?:it|the connection URI)/;
    const master = node;
    const cases: [string, object, RegExp][] = [
      ['a password', { ...node, password: 'hunter2' }, /"password" cannot be used with IAM/],
      ['a password in "extra"', { ...node, extra: { password: 'hunter2' } }, /"password" cannot be used with IAM/],
      ['TLS that is off', { ...node, ssl: false }, /"ssl" is false/],
      ['TLS without verification', { ...node, ssl: { rejectUnauthorized: false } }, /"ssl.rejectUnauthorized" is off/],
      ['TLS that is off in "extra"', { ...node, extra: { ssl: false } }, /"ssl" is false/],
      ['a URL with a password', { url: `${type}://app:hunter2@${host}/shop` }, /contains a password/],
      ['a URL that turns off TLS', { url: url(type, '?sslmode=disable') }, weakening],
      [
        'a password beside replication',
        { password: 'hunter2', replication: { master, slaves: [] } },
        /"password" cannot be used with IAM/,
      ],
      ['TLS off beside replication', { ssl: false, replication: { master, slaves: [] } }, /"ssl" is false/],
    ];
    for (const [at, replication] of [
      ['replication.master', (bad: object) => ({ master: bad, slaves: [node] })],
      ['replication.slaves[1]', (bad: object) => ({ master, slaves: [node, bad] })],
    ] as const) {
      const name = at.replaceAll(/[.[\]]/g, '\\$&');
      cases.push(
        [
          `a password of ${at}`,
          { replication: replication({ ...node, password: 'hunter2' }) },
          new RegExp(`"${name}\\.password" cannot be used with IAM`),
        ],
        [
          `a URL with a password in ${at}`,
          { replication: replication({ url: `${type}://app:hunter2@${host}/shop` }) },
          /contains a password/,
        ],
        [
          `a URL that takes TLS away in ${at}`,
          { replication: replication({ url: url(type, '?sslmode=disable') }) },
          weakening,
        ],
        [
          `TLS that is off in ${at}`,
          { replication: replication({ ...node, ssl: false }) },
          new RegExp(`"${name}\\.ssl" is false`),
        ],
        [
          `TLS without verification in ${at}`,
          { replication: replication({ ...node, ssl: { rejectUnauthorized: false } }) },
          new RegExp(`"${name}\\.ssl\\.rejectUnauthorized" is off`),
        ],
      );
    }
    // TypeORM itself never reads the parameters of these URLs.
    if (type !== 'postgres') {
      cases.push(
        [
          'a password as a parameter of a URL',
          { url: url(type, '?password=hunter2') },
          /"password" cannot be used with IAM/,
        ],
        ...WEAKENING.map((parameter): [string, object, RegExp] => [
          `${parameter} in a URL`,
          { url: url(type, `?${encodeURI(parameter)}`) },
          /"(?:ssl\.)?(?:rejectUnauthorized|verifyIdentity|ssl|tls)/,
        ]),
        ['an invalid URL', { url: 'nonsense' }, /the connection URI cannot be parsed/],
      );
    }

    test.each(cases)('%s', async (_, options, message) => {
      const error = await refusalOf({ type, ...options, iam });
      expect(error).toMatchObject({ code: 'ERR_RDS_IAM_CONFIG', message: expect.stringMatching(message) });
      expect(String(error)).not.toContain('hunter2');
    });
  });
});

test('with IAM off, the options are returned unchanged except for "iam"', () => {
  const options = { type: 'postgres', ...node, password: 'secret', driver: {}, replication: undefined };
  expect(withRdsIam({ ...options, iam: { enabled: false } } as object as RdsIamDataSourceOptions)).toEqual(options);
});
