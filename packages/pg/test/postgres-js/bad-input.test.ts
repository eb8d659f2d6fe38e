import postgres from 'postgres';
import { describe, expect, test } from 'vitest';
import { withRdsIam } from '../../src/postgres-js.js';
import { CREDENTIALS, REGION } from '../stack.js';

const iam = { region: REGION, credentials: CREDENTIALS };
type Given = Parameters<typeof withRdsIam>;

const good = { host: 'db.abc.eu-west-1.rds.amazonaws.com', user: 'app', iam };

describe('options that contradict IAM are refused at once, by name and with the fix', () => {
  const cases: [string, [string, object] | [object], RegExp][] = [
    ['no hostname', [{ user: 'app', iam }], /"hostname" is missing.*RDS endpoint/],
    ['several hosts', [{ ...good, host: 'a,b' }], /"host" names several servers: give the cluster endpoint/],
    ['a list of hosts', [{ ...good, host: ['a', 'b'] }], /"host" names several servers/],
    ['several hosts in a URL', ['postgres://app@a:1,b:2/db', { iam }], /"host" names several servers/],
    ['a port in the host', [{ ...good, host: 'db:5432x/' }], /"hostname" has characters/],
    ['a Unix socket', [{ ...good, path: '/tmp/.s.PGSQL.5432' }], /"path" is a Unix socket/],
    ['a folder of Unix sockets', [{ ...good, host: '/tmp' }], /"hostname" is a Unix socket/],
    ['a port that is not a number', [{ ...good, port: 'abc' }], /"port" must be a whole number.*NaN/],
    ['ssl: false', [{ ...good, ssl: false }], /"ssl" is false.*remove "ssl"/],
    ['rejectUnauthorized: false', [{ ...good, ssl: { rejectUnauthorized: false } }], /"ssl.rejectUnauthorized" is off/],
    ['a string for ssl that verifies nothing', [{ ...good, ssl: 'prefer' }], /"ssl" is 'prefer'.*use 'verify-full'/],
    ['sslmode in a URL', ['postgres://app@db/db?sslmode=allow', { iam }], /"ssl" is 'allow'/],
    ['sslmode=disable in a URL', ['postgres://app@db/db?sslmode=disable', { iam }], /"ssl" is false/],
    ['a password', [{ ...good, password: 'hunter2' }], /"password" cannot be used with IAM.*"iam.enabled"/],
    ['a password function', [{ ...good, password: () => 'hunter2' }], /"password" cannot be used with IAM/],
    ['its other name', [{ ...good, pass: 'hunter2' }], /"pass" cannot be used with IAM/],
    ['a password in a URL', ['postgres://app:hunter2@db/db', { iam }], /"password" cannot be used with IAM/],
    ['an invalid URL', ['postgres://app:hunter2@[/db', { iam }], /the connection URL cannot be parsed/],
    ['an invalid name in a URL', ['postgres://%zz@db/db', { iam }], /the connection URL cannot be parsed/],
    ['a socket in place of a function', [{ ...good, socket: {} }], /"socket" must be a function/],
    ['an unknown IAM option', [{ ...good, iam: { ...iam, regoin: 'x' } }], /unknown IAM option "regoin"/],
    ['IAM options that are none', [{ ...good, iam: true }], /the IAM options must be an object.*got true/],
  ];

  test.each(cases)('%s', (_, given, message) => {
    const refusal = expect.objectContaining({ code: 'ERR_RDS_IAM_CONFIG', message: expect.stringMatching(message) });
    expect(() => withRdsIam(...(given as Given))).toThrow(refusal);
    try {
      withRdsIam(...(given as Given));
    } catch (error) {
      expect(String(error)).not.toContain('hunter2');
    }
  });
});

test('the empty password that an ORM passes on does not count as a password', () => {
  expect(withRdsIam({ ...good, password: null } as never)).toMatchObject({ user: 'app' });
});

describe('with IAM off, a URL is left to the driver', () => {
  const parsed = (given: string | object, beside: object = {}) => {
    const sql = typeof given === 'string' ? postgres(given, beside) : postgres(given);
    const { host, port, user, database, pass, ssl, max, idle_timeout, prepare, connection } =
      sql.options as unknown as Record<string, unknown>;
    return { host, port, user, database, pass, ssl, max, idle_timeout, prepare, connection };
  };
  test.each([
    ['postgres://app:hunter2@db:5433/shop'],
    ['postgres://ap%40p:hunt%3Aer2@db/shop?sslmode=disable&idle_timeout=20&prepare=false&application_name=x'],
    ['postgresql://app@one:1,two:2/shop?ssl=require&max=3'],
    ['postgres://app@db'],
  ])('%s', (url) => {
    const options = { iam: { enabled: false }, max: 7, connection: { TimeZone: 'UTC' } } as const;
    const { iam: _, ...plain } = options;
    expect(parsed(withRdsIam(url, options))).toEqual(parsed(url, plain));
    expect(parsed(withRdsIam(url, { iam: { enabled: false } }))).toEqual(parsed(url));
  });
});
