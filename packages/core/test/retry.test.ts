import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classify } from '../src/classify.js';
import { mysql } from '../src/engines/mysql.js';
import { checkOptions } from '../src/options.js';
import { inLightOfHistory, nextDelayMs } from '../src/retry.js';

const policy = checkOptions().retryPolicy;
const failure = {
  code: 'ERR_RDS_IAM_UNREACHABLE',
  retry: 'until-deadline',
  evidence: '',
  attempts: 1,
  elapsedMs: 0,
} as const;

describe('the wait before the next attempt', () => {
  test('is random, from zero to a bound that doubles up to a maximum', () => {
    const bounds = [1, 2, 3, 4, 5, 6, 7, 8].map((attempts) => nextDelayMs({ ...failure, attempts }, policy, 1));
    expect(bounds).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    expect(nextDelayMs(failure, policy, 0)).toBe(0);
  });

  test('does not start if it would go past the deadline', () => {
    expect(nextDelayMs({ ...failure, elapsedMs: 29_950 }, policy, 0.4)).toBe(40);
    expect(nextDelayMs({ ...failure, elapsedMs: 29_950 }, policy, 0.6)).toBeUndefined();
  });

  test('does not happen for what cannot succeed, or if retrying is turned off', () => {
    expect(nextDelayMs({ ...failure, retry: 'never' }, policy, 0)).toBeUndefined();
    expect(nextDelayMs(failure, checkOptions({ retry: false }).retryPolicy, 0)).toBeUndefined();
  });

  test('does not happen after a few refusals', () => {
    expect(nextDelayMs({ ...failure, retry: 'few-times', attempts: 2 }, policy, 0)).toBe(0);
    expect(nextDelayMs({ ...failure, retry: 'few-times', attempts: 3 }, policy, 0)).toBeUndefined();
  });

  test('never leaves its bounds', () => {
    fc.assert(
      fc.property(
        fc.nat(10_000),
        fc.nat(100_000),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempts, elapsedMs, random) => {
          const delayMs = nextDelayMs({ ...failure, attempts: attempts + 1, elapsedMs }, policy, random);
          if (delayMs === undefined) return;
          expect(delayMs).toBeGreaterThanOrEqual(0);
          expect(delayMs).toBeLessThanOrEqual(policy.maxDelayMs);
          expect(elapsedMs + delayMs).toBeLessThan(policy.timeoutMs);
        },
      ),
    );
  });
});

const postgres = (code: string, message: string) => Object.assign(new Error(message), { code });
const PAM = postgres('28000', 'PAM authentication failed for user "app"');

describe('a failure', () => {
  test.each([
    ['a refused token', PAM, 'ERR_RDS_IAM_REFUSED', 'while-patient'],
    [
      'plaintext',
      postgres('28000', 'no pg_hba.conf entry for host "10.0.0.1", user "app", database "app", no encryption'),
      'ERR_RDS_IAM_TLS',
      'never',
    ],
    [
      'plaintext, in PostgreSQL 13 and older',
      postgres('28000', 'no pg_hba.conf entry for host "10.0.0.1", user "app", database "app", SSL off'),
      'ERR_RDS_IAM_TLS',
      'never',
    ],
    ['an unknown role', postgres('28000', 'role "app" does not exist'), 'ERR_RDS_IAM_REFUSED', 'never'],
    ['another 28000', postgres('28000', 'role "app" is not permitted to log in'), 'ERR_RDS_IAM_REFUSED', 'never'],
    [
      'a stored password',
      postgres('28P01', 'password authentication failed for user "app"'),
      'ERR_RDS_IAM_REFUSED',
      'never',
    ],
    ['an unknown database', postgres('3D000', 'database "x" does not exist'), 'ERR_RDS_IAM_LOGIN', 'never'],
    [
      'too many connections',
      postgres('53300', 'sorry, too many clients already'),
      'ERR_RDS_IAM_TOO_MANY_CONNECTIONS',
      'until-deadline',
    ],
    [
      'reserved connections',
      postgres('53300', 'remaining connection slots are reserved for roles with the SUPERUSER attribute'),
      'ERR_RDS_IAM_TOO_MANY_CONNECTIONS',
      'until-deadline',
    ],
    [
      'a server that is starting',
      postgres('57P03', 'the database system is starting up'),
      'ERR_RDS_IAM_UNREACHABLE',
      'until-deadline',
    ],
    [
      'a server that is shutting down',
      postgres('57P01', 'terminating connection due to administrator command'),
      'ERR_RDS_IAM_UNREACHABLE',
      'until-deadline',
    ],
    [
      'a slow check of the token',
      postgres('57014', 'canceling authentication due to timeout'),
      'ERR_RDS_IAM_UNREACHABLE',
      'until-deadline',
    ],
    [
      'a throttled proxy',
      postgres('28000', 'The IAM authentication failed because of too many competing requests.'),
      'ERR_RDS_IAM_THROTTLED',
      'until-deadline',
    ],
    [
      'a proxy over its rate',
      postgres('53300', 'Rate of connection to proxy exceeded 100'),
      'ERR_RDS_IAM_THROTTLED',
      'until-deadline',
    ],
    [
      'a full proxy',
      postgres('53300', 'The maximum number of client connections to the proxy exceeded 90'),
      'ERR_RDS_IAM_TOO_MANY_CONNECTIONS',
      'until-deadline',
    ],
    [
      'a proxy without TLS',
      postgres('28000', 'IAM authentication is allowed only with SSL connections.'),
      'ERR_RDS_IAM_TLS',
      'never',
    ],
    [
      'a token refused by a proxy',
      postgres(
        '28000',
        'The IAM authentication failed for the role app. Check the IAM token for this role and try again.',
      ),
      'ERR_RDS_IAM_REFUSED',
      'while-patient',
    ],
    [
      'a proxy without the secret',
      postgres('28000', 'This RDS proxy has no credentials for the role app. Check'),
      'ERR_RDS_IAM_REFUSED',
      'never',
    ],
    [
      'a proxy whose wait timed out',
      postgres('08000', 'Timed-out waiting to acquire database connection.'),
      'ERR_RDS_IAM_UNREACHABLE',
      'until-deadline',
    ],
    ['ECONNRESET', postgres('ECONNRESET', 'read ECONNRESET'), 'ERR_RDS_IAM_UNREACHABLE', 'until-deadline'],
    ['ECONNREFUSED', postgres('ECONNREFUSED', ''), 'ERR_RDS_IAM_UNREACHABLE', 'until-deadline'],
    ['an unknown name', postgres('ENOTFOUND', 'getaddrinfo ENOTFOUND nowhere'), 'ERR_RDS_IAM_UNREACHABLE', 'few-times'],
    ['a closed socket', new Error('Connection terminated unexpectedly'), 'ERR_RDS_IAM_UNREACHABLE', 'until-deadline'],
    ['a server without TLS', new Error('The server does not support SSL connections'), 'ERR_RDS_IAM_TLS', 'never'],
    [
      'another CA',
      postgres('SELF_SIGNED_CERT_IN_CHAIN', 'self-signed certificate in certificate chain'),
      'ERR_RDS_IAM_TLS',
      'never',
    ],
    [
      'an unknown issuer',
      postgres('UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'unable to get local issuer certificate'),
      'ERR_RDS_IAM_TLS',
      'never',
    ],
    ['an expired certificate', postgres('CERT_HAS_EXPIRED', 'certificate has expired'), 'ERR_RDS_IAM_TLS', 'never'],
    [
      'another name',
      postgres('ERR_TLS_CERT_ALTNAME_INVALID', "Hostname/IP does not match certificate's altnames"),
      'ERR_RDS_IAM_TLS',
      'never',
    ],
    ['no protocol in common', postgres('EPROTO', 'tlsv1 alert protocol version'), 'ERR_RDS_IAM_TLS', 'never'],
    ['a bug', new TypeError('x is not a function'), 'ERR_RDS_IAM_LOGIN', 'never'],
    ['no error at all', undefined, 'ERR_RDS_IAM_LOGIN', 'never'],
  ])('that is %s', (_, error, code, retry) => {
    expect(classify(error)).toMatchObject({ code, retry });
  });

  const FOREVER = 'until-deadline';
  test.each([
    [
      'a refused token',
      1045,
      "Access denied for user 'app'@'10.0.0.1' (using password: YES)",
      'REFUSED',
      'while-patient',
    ],
    ['an account with no password at all', 1698, "Access denied for user 'app'@'10.0.0.1'", 'REFUSED', 'never'],
    ['a missing plugin', 1524, "Plugin 'AWSAuthenticationPlugin' is not loaded", 'REFUSED', 'never'],
    ['a locked account', 3118, "Access denied for user 'app'@'10.0.0.1'. Account is locked.", 'REFUSED', 'never'],
    ['a locked account of MariaDB', 4151, 'Access denied, this account is locked', 'REFUSED', 'never'],
    [
      'a host that may not connect',
      1130,
      "Host '10.0.0.1' is not allowed to connect to this MySQL server",
      'REFUSED',
      'never',
    ],
    ['too many connections', 1040, 'Too many connections', 'TOO_MANY_CONNECTIONS', FOREVER],
    [
      'too many connections of a user',
      1203,
      "User app already has more than 'max_user_connections' active connections",
      'TOO_MANY_CONNECTIONS',
      FOREVER,
    ],
    [
      'a user over a resource limit',
      1226,
      "User 'app' has exceeded the 'max_user_connections' resource (current value: 5)",
      'TOO_MANY_CONNECTIONS',
      FOREVER,
    ],
    ['a full proxy', 1040, 'Number simultaneous connections exceeded (90)', 'TOO_MANY_CONNECTIONS', FOREVER],
    ['a throttled proxy', 1040, 'IAM authentication rate limit exceeded', 'THROTTLED', FOREVER],
    ['a proxy over its rate', 1040, 'Connections rate limit exceeded (100)', 'THROTTLED', FOREVER],
    [
      'a blocked host',
      1129,
      "Host '10.0.0.1' is blocked because of many connection errors",
      'TOO_MANY_CONNECTIONS',
      'never',
    ],
    [
      'plaintext',
      3159,
      'Connections using insecure transport are prohibited while --require_secure_transport=ON.',
      'TLS',
      'never',
    ],
    ['a proxy without TLS', 3159, 'This RDS Proxy requires TLS connections.', 'TLS', 'never'],
    ['a shutdown', 1053, 'Server shutdown in progress', 'UNREACHABLE', FOREVER],
    ['a proxy whose wait timed out', 9501, 'Timed-out waiting to acquire database connection', 'UNREACHABLE', FOREVER],
    ['a connection that broke', 1158, 'Got an error reading communication packets', 'UNREACHABLE', FOREVER],
    ['a proxy without an explanation', 1105, 'Unknown error', 'LOGIN', 'few-times'],
    ['an unknown database', 1049, "Unknown database 'nowhere'", 'LOGIN', 'never'],
  ])('from MySQL that is %s', (_, errno, message, code, retry) => {
    const error = Object.assign(new Error(message), { code: 'ER_SOME_NAME', errno, sqlState: 'HY000' });
    expect(classify(error, mysql)).toMatchObject({ code: `ERR_RDS_IAM_${code}`, retry });
  });

  test.each(['constructor', 'toString', '__proto__'])('a server whose code is %s says nothing', (code) => {
    const error = Object.assign(new Error('no'), { code });
    expect(classify(error).code).toBe('ERR_RDS_IAM_LOGIN');
    expect(classify(error, mysql).code).toBe('ERR_RDS_IAM_LOGIN');
  });

  test.each([
    ['PROTOCOL_CONNECTION_LOST', 'Connection lost: The server closed the connection.', 'UNREACHABLE', FOREVER],
    ['HANDSHAKE_NO_SSL_SUPPORT', 'Server does not support secure connection', 'TLS', 'never'],
    ['HANDSHAKE_SSL_ERROR', 'unable to verify the first certificate', 'TLS', 'never'],
    [
      'HANDSHAKE_SSL_ERROR',
      'Client network socket disconnected before secure TLS connection was established',
      'UNREACHABLE',
      FOREVER,
    ],
    ['AUTH_SWITCH_PLUGIN_ERROR', 'unknown plugin', 'LOGIN', 'never'],
  ])("with mysql2's %s", (code, message, means, retry) => {
    const classified = classify(Object.assign(new Error(message), { code, fatal: true }));
    expect(classified).toMatchObject({ code: `ERR_RDS_IAM_${means}`, retry });
    expect(classified).not.toHaveProperty('engine');
  });

  test('never makes the classification fail', () => {
    fc.assert(
      fc.property(fc.anything(), (error) => {
        expect(classify(error).code).toMatch(/^ERR_RDS_IAM_/);
      }),
    );
  });

  test('that is a refusal counts as throttling if the same user logged in before', () => {
    expect(inLightOfHistory(classify(PAM), false)).toMatchObject({
      code: 'ERR_RDS_IAM_REFUSED',
      retry: 'while-patient',
    });
    expect(inLightOfHistory(classify(PAM), true)).toMatchObject({
      code: 'ERR_RDS_IAM_THROTTLED',
      retry: 'until-deadline',
    });
  });

  test('because of a missing rds_iam stays what it is, whatever happened before', () => {
    const refused = classify(postgres('28P01', 'password authentication failed'));
    expect(inLightOfHistory(refused, true)).toBe(refused);
  });
});
