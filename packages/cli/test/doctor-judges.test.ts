// The doctor's judgements: each test changes one fact about a successful login.
import { describe, expect, test } from 'vitest';
import { judgeClock } from '../src/doctor/clock.js';
import { judgeCredentials, judgeIdentity } from '../src/doctor/credentials.js';
import { judgeDatabase } from '../src/doctor/database.js';
import { CHECKS } from '../src/doctor/doctor.js';
import type { Facts } from '../src/doctor/facts.js';
import { judgeLog } from '../src/doctor/log.js';
import { judgeLogin } from '../src/doctor/login.js';
import { judgeName, judgeRegion, regionOf } from '../src/doctor/name.js';
import { judgePolicy, missingPolicy, principalOf } from '../src/doctor/policy.js';
import { judgeAccount, judgeEncryption, judgeMaster, readCreateUser } from '../src/doctor/server.js';
import { judgeTcp } from '../src/doctor/tcp.js';
import { judgeTls } from '../src/doctor/tls.js';
import { judgeVersion } from '../src/doctor/version.js';
import { TimedOut } from '../src/doctor/within.js';
import { FailedError } from '../src/exit-code.js';
import { described, failedBy, HOST, refusedByAws, told, WELL } from './doctor-facts.js';

const NOBODY = { error: { message: 'nobody can be asked' } };
const TUNNEL = { hostname: '127.0.0.1', port: 15_432 };

test('all is well: every step passes, except for the log, which has no refusal to look for', () => {
  const steps = CHECKS.map(({ judge }) => judge(WELL));
  expect(steps.filter((step) => step?.outcome !== 'passed').map((step) => step?.step)).toEqual(['log']);
});

test('nothing can be checked: no step counts as passed without a check', () => {
  const nowhere = Object.assign(new Error('queryCname ENOTFOUND'), { code: 'ENOTFOUND' });
  const nothing: Facts = {
    ...{ ...WELL, name: { ...WELL.name, addresses: [], error: nowhere }, skewMs: undefined },
    ...{ credentials: { error: new Error('none') }, region: undefined, regionFlag: 'eu-west-2' },
    ...{ identity: NOBODY, described: NOBODY, decision: NOBODY, log: NOBODY },
    ...{ tcp: undefined, tls: undefined, login: undefined },
  };
  const outcomes = Object.fromEntries(
    CHECKS.map(({ judge }) => judge(nothing)).map((step) => [step?.step, step?.outcome]),
  );
  expect(outcomes).toEqual({
    ...{ credentials: 'failed', identity: 'not-checked', clock: 'not-checked', name: 'failed', region: 'failed' },
    ...{ tcp: 'not-checked', tls: 'not-checked', database: 'not-checked', policy: 'not-checked', login: 'not-checked' },
    ...{ log: 'not-checked', version: 'not-checked', encryption: 'not-checked', account: 'not-checked' },
    master: 'not-checked',
  });
});

describe('credentials', () => {
  test.each([
    [{ CREDENTIALS_ENV_VARS: 'g' }, 'the environment'],
    [{ CREDENTIALS_PROFILE: 'n' }, 'the shared AWS files'],
    [
      { CREDENTIALS_PROFILE_SOURCE_PROFILE: 'o', CREDENTIALS_PROFILE: 'n', CREDENTIALS_STS_ASSUME_ROLE: 'i' },
      'an assumed role',
    ],
    [{ CREDENTIALS_SSO: 's', CREDENTIALS_PROFILE_SSO: 'r' }, 'IAM Identity Center'],
    [{ CREDENTIALS_IMDS: '0' }, 'the EC2 instance'],
    [undefined, 'the environment (AWS_ACCESS_KEY_ID)'],
    [{ CREDENTIALS_NEW: 'z' }, 'the AWS SDK'],
  ])('that are marked %j', ($source, source) => {
    const identity = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'hidden', ...($source && { $source }) };
    const { seen, outcome } = judgeCredentials({ ...WELL, credentials: { identity } });
    expect(outcome).toBe('passed');
    expect(seen).toContain(`access key AKIDEXAMPLE of ${source}`);
    expect(seen).not.toContain('hidden');
  });

  test('an ended SSO session counts as expired credentials, and a wrong profile is named', () => {
    const cause = new Error('The SSO session associated with this profile has expired. Please re-authenticate.');
    const error = new Error('no AWS credentials', { cause });
    expect(judgeCredentials({ ...WELL, credentials: { error }, profile: 'team' }).causes[0]).toMatchObject({
      diagnosis: 'expired-credentials',
      fix: [{ shell: 'aws sso login --profile team' }, {}],
    });
    const unknown = new Error('no AWS credentials', {
      cause: new Error('Could not resolve credentials using profile: [x]'),
    });
    expect(judgeCredentials({ ...WELL, credentials: { error: unknown }, profile: 'x' }).causes[0]).toMatchObject({
      diagnosis: 'no-credentials',
      why: expect.stringContaining('"x"'),
    });
  });

  test.each([
    ['ERR_RDS_IAM_CREDENTIALS', 'ExpiredToken', 'failed', 'expired-credentials'],
    ['ERR_RDS_IAM_CREDENTIALS', 'InvalidClientTokenId', 'failed', 'refused-credentials'],
    ['ERR_RDS_IAM_AWS_DENIED', 'AccessDenied', 'not-checked', undefined],
  ] as const)('to AWS: %s, %s: %s', (code, awsCode, outcome, diagnosis) => {
    const step = judgeIdentity({ ...WELL, identity: refusedByAws(code, awsCode) });
    expect([step.outcome, step.causes[0]?.diagnosis]).toEqual([outcome, diagnosis]);
  });
});

test.each([
  [9_000, 'passed', "this machine's clock agrees with AWS's"],
  [-60_000, 'passed', "this machine's clock is 60 s ahead of AWS's"],
  [600_000, 'failed', "this machine's clock is 10 minutes behind AWS's"],
])('a clock that is %i ms off: %s', (skewMs, outcome, seen) => {
  expect(judgeClock({ ...WELL, skewMs })).toMatchObject({ outcome, seen });
});

describe('the name', () => {
  test.each([
    ['an alias', { chain: [HOST] }, 'warned', 'cname'],
    ['for something else', { followed: 'db.example.org' }, 'warned', 'not-an-rds-name'],
    ['for which the DNS does not answer', { error: new TimedOut(5_000) }, 'failed', 'dns-failed'],
  ] as const)('%s', (_, changes, outcome, diagnosis) => {
    const step = judgeName({ ...WELL, name: { ...WELL.name, ...changes } });
    expect([step.outcome, step.causes[0]?.diagnosis]).toEqual([outcome, diagnosis]);
  });

  test('that is not in DNS does not matter with --dial', () => {
    const name = { ...WELL.name, addresses: [], error: new TimedOut(5_000) };
    expect(judgeName({ ...WELL, name, dial: TUNNEL }).outcome).toBe('passed');
  });
});

describe('the region', () => {
  test.each([
    [HOST, undefined, 'eu-west-2', 'passed', 'eu-west-1'],
    [HOST, 'eu-west-1', undefined, 'passed', 'eu-west-1'],
    [HOST, 'eu-west-2', undefined, 'failed', undefined],
    ['localhost', undefined, 'eu-west-2', 'warned', 'eu-west-2'],
    ['localhost', 'eu-west-1', 'eu-west-2', 'warned', 'eu-west-1'],
    ['localhost', undefined, undefined, 'failed', undefined],
    ['mydb.abc123.rds.cn-north-1.amazonaws.com.cn', undefined, undefined, 'passed', 'cn-north-1'],
  ])('of %s, with --region %s and %s in the settings: %s', (followed, regionFlag, settings, outcome, expected) => {
    const region = regionOf(followed, regionFlag, settings);
    expect(region).toBe(expected);
    expect(judgeRegion({ ...WELL, name: { ...WELL.name, followed }, regionFlag, region }).outcome).toBe(outcome);
  });
});

describe('the network', () => {
  test('no way to the server: the security group first, then the port', () => {
    const { outcome, causes } = judgeTcp({ ...WELL, tcp: { error: new TimedOut(5_000) } });
    expect(outcome).toBe('failed');
    expect(causes.map(({ diagnosis }) => diagnosis)).toEqual(['no-route', 'wrong-port']);
    expect(causes[0]?.fix).toContainEqual({ shell: expect.stringContaining('--protocol tcp --port 5432 --cidr') });
  });

  test('nothing listens at the address in --dial', () => {
    const step = judgeTcp({ ...WELL, tcp: { error: new Error('connect ECONNREFUSED') }, dial: TUNNEL });
    expect(step).toMatchObject({ outcome: 'failed', seen: '127.0.0.1:15432: connect ECONNREFUSED' });
  });

  test('a server that only supports old TLS versions', () => {
    const code = 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION';
    const said = '80B:error:0A00042E:SSL routines:ssl3_read_bytes:tlsv1 alert protocol version';
    const { causes, seen } = judgeTls({
      ...WELL,
      tls: { offered: true, error: Object.assign(new Error(said), { code }) },
    });
    expect(causes[0]?.diagnosis).toBe('old-tls');
    expect(seen).toContain('no handshake with TLS 1.2 or 1.3: tlsv1 alert');
  });

  test('a certificate from another authority: how to get the newest ones, and how to ask again with them', () => {
    const handshake = WELL.tls?.handshake && { ...WELL.tls.handshake, chainError: 'SELF_SIGNED_CERT_IN_CHAIN' };
    if (!handshake) throw new Error('there is one where all is well');
    const facts = { ...WELL, tls: { offered: true, handshake }, profile: 'team', dial: TUNNEL };
    expect(judgeTls(facts).causes[0]).toMatchObject({
      diagnosis: 'wrong-ca',
      fix: [
        { shell: 'rds-iam ca --region eu-west-1 --output rds-ca.pem' },
        {
          shell: `rds-iam doctor --engine postgres --hostname ${HOST} --port 5432 --username app --database shop --profile team --dial 127.0.0.1:15432 --ca rds-ca.pem`,
        },
      ],
    });
  });
});

describe('the database', () => {
  test.each([
    ['is off', { iamEnabled: false }, 'failed', 'iam-off'],
    ['is stopped', { status: 'stopped' }, 'warned', 'database-not-available'],
  ])('%s', (_, changes, outcome, diagnosis) => {
    const step = judgeDatabase(described(changes));
    expect([step.outcome, step.causes[0]?.diagnosis]).toEqual([outcome, diagnosis]);
  });

  test('in another account', () => {
    const step = judgeDatabase({ ...WELL, described: { error: new FailedError('there is no instance mydb') } });
    expect(step).toMatchObject({ outcome: 'failed', causes: [{ diagnosis: 'not-in-account' }] });
  });
});

describe('who the caller is to IAM', () => {
  test.each([
    [
      'arn:aws:iam::123456789012:user/team/ann',
      { kind: 'user', name: 'ann', arn: 'arn:aws:iam::123456789012:user/team/ann' },
    ],
    [
      'arn:aws-cn:sts::123456789012:assumed-role/deployer/me@example.org',
      { kind: 'role', name: 'deployer', arn: 'arn:aws-cn:iam::123456789012:role/deployer' },
    ],
    ['arn:aws:iam::123456789012:root', undefined],
    ['arn:aws:sts::123456789012:federated-user/ann', undefined],
  ])('%s', (arn, principal) => {
    expect(principalOf({ arn, account: '123456789012' })).toEqual(principal);
  });
});

describe('what IAM decides', () => {
  const asRole = (name: string) => {
    const arn = `arn:aws:sts::123456789012:assumed-role/${name}/me`;
    return { ...WELL, identity: { answer: { account: '123456789012', arn } } };
  };
  const allowed = { decision: 'allowed', policies: [], byOrganization: true, byBoundary: true };

  test.each([
    ['allowed', {}, 'passed', undefined, ''],
    ['not by the organization', { byOrganization: false }, 'failed', 'denied-by-policy', 'service control policies'],
    ['not by the boundary', { decision: 'implicitDeny', byBoundary: false }, 'failed', 'denied-by-policy', 'boundary'],
    ['by nobody', { decision: 'implicitDeny' }, 'failed', 'missing-policy', 'role "deployer"'],
  ])('%s', (_, decision, outcome, diagnosis, why) => {
    const step = judgePolicy({ ...asRole('deployer'), decision: { answer: { ...allowed, ...decision } } });
    expect(step.outcome).toBe(outcome);
    expect(step.causes[0]?.diagnosis).toBe(diagnosis);
    expect(step.causes[0]?.why ?? '').toContain(why);
  });

  test('the fix for a user with an unusual name, and for an unknown one', () => {
    const [policy, put] = missingPolicy({ ...asRole("o'neil"), username: 'my app' }).fix;
    expect(policy).toEqual({ shell: expect.stringContaining("--username 'my app' > rds-iam-policy.json") });
    expect(put).toEqual({ shell: expect.stringContaining(`--role-name 'o'\\''neil' `) });
    const unknown = missingPolicy({ ...WELL, identity: NOBODY, described: NOBODY, region: undefined });
    expect(unknown.why).toContain('arn:aws:rds-db:REGION:ACCOUNT:dbuser:RESOURCE-ID/app');
    expect(unknown.fix[1]).toEqual({ shell: expect.stringContaining('--role-name ROLE') });
  });
});

/** The driver's error for a refused token. */
const REFUSED = failedBy(new Error('PAM authentication failed'));

describe("the host's log", () => {
  const entry = (message: string, atMs = 0) => ({ atMs, message });
  const judge = (...answer: ReturnType<typeof entry>[]) => judgeLog({ ...REFUSED, log: { answer } });

  test.each([
    ['token age is longer than 15 minutes', 'clock-skew'],
    ['an internal IAM DB authentication error', 'other'],
    ['is not authorized to perform rds-db:connect on the DB instance', 'missing-policy'],
  ])('%s', (message, diagnosis) => {
    const { outcome, causes } = judge(entry(`app: ${message}`));
    expect(outcome).toBe('failed');
    expect(causes[0]?.diagnosis).toBe(diagnosis);
  });

  test("this user's latest entry counts, and no token in it is shown", () => {
    const token = `${HOST}:5432/?Action=connect&DBUser=app&X-Amz-Signature=0123456789abcdef`;
    const { seen, causes } = judge(
      entry('app: due to IAM DB authentication throttling'),
      entry(`app: the token ${token} is malformed or otherwise invalid`, 1_000),
      entry('other: due to IAM DB authentication throttling', 2_000),
    );
    expect(causes[0]?.diagnosis).toBe('token-invalid');
    expect(seen).toMatch(/^1970-01-01T00:00:01.000Z /);
    expect(seen).not.toContain('0123456789abcdef');
  });

  test('without a refusal, without a log, and without an export: nothing counts as passed', () => {
    expect(judge(entry('all is well')).outcome).toBe('not-checked');
    const log = refusedByAws('ERR_RDS_IAM_AWS_REFUSED', 'ResourceNotFoundException');
    const shop = { kind: 'cluster', identifier: 'shop' };
    expect(judgeLog({ ...described(shop), ...{ login: REFUSED.login, log } })).toMatchObject({
      outcome: 'not-checked',
      seen: 'there is no log group /aws/rds/cluster/shop/iam-db-auth-error: its export may be off',
    });
    const { causes } = judgeLog({ ...described({ ...shop, logExports: [] }), login: REFUSED.login });
    expect(causes[0]?.fix[0]).toEqual({
      shell: expect.stringContaining('aws rds modify-db-cluster --db-cluster-identifier shop --region eu-west-1'),
    });
    expect(judgeLog({ ...described({ kind: 'proxy' }), login: REFUSED.login }).outcome).toBe('not-checked');
  });
});

describe('a refused login: what is certain comes first, then what is possible', () => {
  /** As core throws it. */
  const refusal = (kind: string) =>
    Object.assign(new Error('refused'), { name: 'RdsIamError', code: 'ERR_RDS_IAM_REFUSED', kind });
  const denied = { answer: { decision: 'explicitDeny', policies: [], byOrganization: true, byBoundary: true } };

  test.each<[string, string, Partial<Facts>, string[]]>([
    ['all else is well', 'token-refused', {}, ['throttled']],
    ['nobody can be asked', 'token-refused', { decision: NOBODY }, ['missing-policy', 'throttled']],
    ['a wrong clock', 'token-refused', { skewMs: 600_000 }, ['clock-skew']],
    ['denied, too', 'token-refused', { skewMs: 600_000, decision: denied }, ['clock-skew', 'denied-by-policy']],
    ['no user', 'not-an-iam-user', {}, ['missing-grant']],
    ['no user, or off', 'stored-password-wanted', { described: NOBODY }, ['missing-grant', 'iam-off']],
    ['off', 'not-an-iam-user', described({ iamEnabled: false }), ['iam-off', 'missing-grant']],
  ])('%s', (_, kind, changes, diagnoses) => {
    const step = judgeLogin({ ...WELL, ...changes, login: { error: refusal(kind) } });
    expect(step.outcome).toBe('failed');
    expect(step.causes.map(({ diagnosis }) => diagnosis)).toEqual(diagnoses);
  });
});

test("a login that ends for another reason: the server's code says why", () => {
  const ended = (message: string, code: string) => judgeLogin(failedBy(Object.assign(new Error(message), { code })));
  expect(ended('database "shop" does not exist', '3D000').causes[0]?.diagnosis).toBe('no-such-database');
  expect(ended('permission denied for database "shop"', '42501').causes[0]).toMatchObject({
    diagnosis: 'no-right-to-connect',
    fix: [{ sql: 'GRANT CONNECT ON DATABASE "shop" TO "app";' }],
  });
  expect(ended('canceling statement', '57014').causes[0]?.diagnosis).toBe('other');
});

describe('the version', () => {
  const server = { tls: null, postgres: undefined, isAurora: false };

  test.each([
    [{ version: '8.0.39' }, 'passed'],
    [{ version: '8.0.15' }, 'warned'],
    // Aurora has version numbers of its own.
    [{ version: '5.7.12', isAurora: true }, 'passed'],
    [{ version: '5.5.5-10.6.18-MariaDB' }, 'passed'],
    [{ version: 'unknown' }, 'not-checked'],
  ])('from the server, %j: %s', (version, outcome) => {
    expect(judgeVersion({ ...told({ ...server, ...version }), engine: 'mysql' }).outcome).toBe(outcome);
  });

  test.each([
    [{ engine: 'mysql', engineVersion: '8.0.15' }, undefined, 'failed'],
    [{ engine: 'mariadb', engineVersion: '10.5.27' }, undefined, 'failed'],
    [{ engine: 'aurora-mysql', engineVersion: '5.7.12' }, undefined, 'passed'],
    [{ engine: 'mysql', engineVersion: '8.0.15' }, '8.0.39', 'passed'],
    [{ engineVersion: undefined }, undefined, 'not-checked'],
  ])('from the RDS API before a login, %j, and from the greeting, %s: %s', (changes, greeting, outcome) => {
    const facts: Facts = { ...described(changes), engine: 'mysql', login: undefined, tls: { offered: true, greeting } };
    expect(judgeVersion(facts).outcome).toBe(outcome);
  });
});

describe('the account', () => {
  test.each([
    // MySQL 8, MySQL 5.7, MariaDB.
    [
      "CREATE USER `app`@`%` IDENTIFIED WITH 'AWSAuthenticationPlugin' AS 'RDS' REQUIRE SSL PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK",
      'passed',
    ],
    ["CREATE USER 'app'@'%' IDENTIFIED WITH 'AWSAuthenticationPlugin' AS 'RDS' REQUIRE NONE PASSWORD EXPIRE", 'warned'],
    ["CREATE USER `app`@`%` IDENTIFIED VIA AWSAuthenticationPlugin USING 'RDS' REQUIRE SSL", 'passed'],
    ["CREATE USER `app`@`%` IDENTIFIED BY PASSWORD '*0123456789'", 'warned'],
    ["CREATE USER `app`@`%` IDENTIFIED WITH 'mysql_native_password' AS '*0123456789' REQUIRE SSL", 'warned'],
  ])('%s: %s', (statement, outcome) => {
    const step = judgeAccount(told({ postgres: undefined, mysql: readCreateUser(statement, 'app@%') }));
    expect(step.outcome).toBe(outcome);
    expect(JSON.stringify(step)).not.toContain('0123456789');
    for (const { fix } of step.causes)
      expect(fix[0]).toEqual({ sql: expect.stringMatching(/^ALTER USER `app`@`%` .*;$/) });
  });

  test('what the server does not show is not checked', () => {
    expect(judgeAccount(told({ postgres: undefined })).outcome).toBe('not-checked');
    const silent = told({ tls: undefined, postgres: { username: 'app', hasRdsIam: undefined, masters: undefined } });
    expect(judgeAccount(silent).outcome).toBe('not-checked');
    expect(judgeMaster(silent)?.outcome).toBe('not-checked');
    expect(judgeEncryption(silent).outcome).toBe('not-checked');
    expect(judgeMaster({ ...WELL, engine: 'mysql' })).toBeUndefined();
  });

  test('something in between let in a user without rds_iam', () => {
    expect(judgeAccount(told({ postgres: { username: 'a"b', hasRdsIam: false, masters: [] } }))).toMatchObject({
      outcome: 'warned',
      causes: [{ diagnosis: 'missing-grant', fix: [{ sql: 'GRANT rds_iam TO "a""b";' }] }],
    });
    expect(judgeEncryption(told({ tls: null }))).toMatchObject({
      outcome: 'warned',
      causes: [{ diagnosis: 'not-encrypted' }],
    });
  });

  test('a master user whose password no longer works', () => {
    const masters = [{ name: 'master', through: 'rds_iam' }];
    expect(judgeMaster(told({ postgres: { username: 'app', hasRdsIam: true, masters } }))).toMatchObject({
      outcome: 'warned',
      causes: [{ diagnosis: 'master-has-rds-iam', fix: [{ sql: 'REVOKE rds_iam FROM "master";' }] }],
    });
  });
});
