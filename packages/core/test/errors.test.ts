import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isRdsIamError, RdsIamError } from '../src/errors.js';
import { redact, withoutSecrets } from '../src/redaction.js';
import { tokenSignedAt } from './world.js';

const SECRET_KEY = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const token = `${tokenSignedAt(Date.parse('2026-01-01T00:00:00Z'), 'db.abc.eu-west-1.rds.amazonaws.com:5432', 'app', 'f00dfeed')}&X-Amz-Security-Token=IQoJb3JpZ2lu%2FSESSION`;

function everythingShown(error: Error): string {
  return [
    error.message,
    error.stack,
    String(error),
    JSON.stringify(error),
    inspect(error, { depth: 20, showHidden: true }),
  ].join('\n');
}

describe('an error', () => {
  test('is recognized by its code, even if it comes from another copy of the package', () => {
    const error = new RdsIamError('ERR_RDS_IAM_TLS', 'no');
    expect(isRdsIamError(error)).toBe(true);
    const foreign = Object.assign(new Error('no'), { name: 'RdsIamError', code: 'ERR_RDS_IAM_TLS' });
    expect(isRdsIamError(foreign)).toBe(true);
    for (const other of [
      undefined,
      null,
      'ERR_RDS_IAM_TLS',
      new Error('no'),
      { name: 'RdsIamError', code: 'ERR_RDS_IAM_TLS' },
    ]) {
      expect(isRdsIamError(other)).toBe(false);
    }
  });

  test("keeps the driver's own error object as its cause", () => {
    const cause = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    expect(new RdsIamError('ERR_RDS_IAM_UNREACHABLE', 'no', { cause }).cause).toBe(cause);
  });

  test('never shows a token or a secret, wherever a careless driver or provider put one', () => {
    const inner = Object.assign(new Error(`Unexpected token in "SecretAccessKey":"${SECRET_KEY}"`), {
      password: token,
    });
    const cause = Object.assign(new Error(`login failed with ${token}`, { cause: inner }), {
      code: 'X',
      config: { token },
    });
    const error = new RdsIamError('ERR_RDS_IAM_LOGIN', `the driver said: ${cause.message}`, {
      cause,
      details: { username: 'app' },
    });
    const shown = everythingShown(error);
    for (const secret of ['f00dfeed', 'IQoJb3JpZ2lu', SECRET_KEY]) expect(shown).not.toContain(secret);
    expect(error.cause).toMatchObject({ code: 'X', name: 'Error' });
    expect(shown).toContain('login failed with');
  });

  test('copes with a cause of any kind', () => {
    fc.assert(
      fc.property(fc.anything(), (cause) => {
        expect(new RdsIamError('ERR_RDS_IAM_LOGIN', 'no', { cause }).code).toBe('ERR_RDS_IAM_LOGIN');
      }),
    );
  });
});

describe("a driver's error that contains a secret", () => {
  test('is replaced by one of the same class, with everything except the secret', () => {
    class DriverError extends Error {
      readonly errno = 1045;
      readonly sqlState = '28000';
      readonly at = new Date(0);
    }
    const error = new DriverError(`cannot use ${SECRET_KEY} here`);
    const shown = withoutSecrets(error) as DriverError;
    expect(shown).toBeInstanceOf(DriverError);
    expect(shown).toMatchObject({
      message: 'cannot use [redacted] here',
      errno: 1045,
      sqlState: '28000',
      at: new Date(0),
    });
    expect(inspect(shown, { showHidden: true })).not.toContain(SECRET_KEY);
  });
});

describe('redaction', () => {
  test.each([
    ['a token', token],
    ['a token in a sentence', `password "${token}" is wrong`],
    ['the signature of a token', 'X-Amz-Signature=0123456789abcdef'],
    ['a session token in JSON', '{"SessionToken":"IQoJb3JpZ2luX2VjEJr"}'],
    ['a session token in a profile', 'aws_session_token = IQoJb3JpZ2luX2VjEJr'],
    ['a secret key in JSON', `{ "SecretAccessKey": "${SECRET_KEY}" }`],
    ['a bare secret key', `cannot use ${SECRET_KEY} here`],
  ])('removes %s', (_, text) => {
    for (const secret of ['f00dfeed', '0123456789abcdef', 'IQoJb3JpZ2lu', SECRET_KEY]) {
      expect(redact(text)).not.toContain(secret);
    }
  });

  test.each([
    'PAM authentication failed for user "app" (28000)',
    'connect ECONNREFUSED 127.0.0.1:5432',
    'ENOENT: no such file or directory, open /srv/releases/Build20261128/shop/current',
    'Error: no\n    at connect (/srv/releases-2026/Build20261128/shop/current/libraries1/pool.js:10:5)',
    'arn:aws:rds-db:eu-west-1:123456789012:dbuser:db-ABCDEFGHIJKL01234/app',
    "Hostname/IP does not match certificate's altnames: Host: db.abc123.eu-west-1.rds.amazonaws.com.",
  ])('leaves %j as it is', (text) => {
    expect(redact(text)).toBe(text);
    const error = new Error(text);
    expect(withoutSecrets(error)).toBe(error);
  });
});
