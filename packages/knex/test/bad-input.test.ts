import { CREDENTIALS, REGION } from '@rds-iam/conformance';
import { expectNoSecrets } from '@rds-iam/test-servers';
import { knex } from 'knex';
import { describe, expect, test } from 'vitest';
import { type KnexConfig, withRdsIam } from '../src/index.js';
import { QUIET } from './subject.js';

const iam = { region: REGION, credentials: CREDENTIALS };
const connection = { host: 'db.abc.eu-west-1.rds.amazonaws.com', user: 'app', database: 'shop' };

describe('what cannot be right is refused at once, by name and with the fix', () => {
  test.each<[string, unknown, RegExp]>([
    ['no client', { connection }, /"client" must be "pg" or "mysql2"/],
    ['mysql', { client: 'mysql', connection }, /"client" uses the driver "mysql",.*use "mysql2"/],
    ['sqlite3', { client: 'sqlite3', connection }, /"sqlite3".*use "pg" or "mysql2"/],
    ['redshift', { client: 'redshift', connection }, /"pg-redshift".*use "pg" or "mysql2"/],
    ['cockroachdb', { client: 'cockroachdb', connection }, /"cockroachdb".*use "pg" or "mysql2"/],
    ['the base of all clients', { client: knex.Client, connection }, /"client" must be "pg" or "mysql2"/],
    ["the user's own pool", { client: 'pg', connectionPool: {} }, /"connectionPool" is your own pool/],
    ['an unknown IAM option', { client: 'pg', connection, iam: { regoin: 'x' } }, /unknown IAM option "regoin"/],
    ['a URL of mysql', 'mysql://app@db.example.com/shop', /use "mysql2"/],
    ['a URL of an unknown scheme', 'app:hunter2@db', /'client' value app/],
    ['a string that is not a URL', '//app:hunter2@db', /the connection URL cannot be parsed/],
  ])('%s', (_, config, message) => {
    const given = typeof config === 'object' ? { iam, ...config } : config;
    let refusal: unknown;
    try {
      withRdsIam(given as KnexConfig);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toMatchObject({ message: expect.stringMatching(message) });
    expectNoSecrets(refusal, ['hunter2']);
  });

  test('a client that Knex does not know is refused by Knex', () => {
    expect(() => withRdsIam({ client: 'pgg' as 'pg', connection, iam })).toThrow(/'client' value pgg/);
  });
});

describe('what contradicts IAM in a connection is refused at the first query, before anything is dialed', () => {
  const withPassword = { ...connection, password: 'hunter2' };
  test.each<[string, 'pg' | 'mysql2', unknown, RegExp]>([
    ['a password', 'pg', withPassword, /"password" cannot be used with IAM/],
    ['a password', 'mysql2', withPassword, /"password" cannot be used with IAM/],
    ['a password of a function', 'pg', () => withPassword, /"password" cannot be used with IAM/],
    ['a password of a function', 'mysql2', async () => withPassword, /"password" cannot be used with IAM/],
    [
      'a password in a URL',
      'pg',
      'postgres://app:hunter2@db.example.com/shop',
      /"connectionString" contains a password/,
    ],
    ['a password in a URL', 'mysql2', 'mysql://app:hunter2@db.example.com/shop', /connection URI contains a password/],
    ['a URL without TLS', 'pg', 'postgres://app@db.example.com/shop?sslmode=disable', /"sslmode=disable"/],
    ['a URL without TLS', 'mysql2', 'mysql://app@db.example.com/shop?ssl=false', /"ssl=false"/],
    [
      'a URL that cannot be parsed',
      'pg',
      'postgres://app@db.example.com:port/shop',
      /"connectionString" cannot be parsed/,
    ],
    ['a Unix socket', 'mysql2', { ...connection, socketPath: '/run/mysqld.sock' }, /"socketPath" is a Unix socket/],
    ['TLS that verifies nothing', 'pg', { ...connection, ssl: { rejectUnauthorized: false } }, /rejectUnauthorized/],
  ])('%s with %s', async (_, client, given, message) => {
    const db = knex(withRdsIam({ client, connection: given, iam, log: QUIET } as KnexConfig));
    const refusal = await db.raw('select 1').then(
      () => expect.unreachable(),
      (error: unknown) => error,
    );
    await db.destroy();
    expect(refusal).toMatchObject({ code: 'ERR_RDS_IAM_CONFIG', message: expect.stringMatching(message) });
    expectNoSecrets(refusal, ['hunter2']);
  });
});
