// What the doctor makes of what it saw, where no server or service of a test can be made to say it.

import { describe, expect, test } from 'vitest';
import { AwsError } from '../src/aws-call.js';
import { judgeCredentials } from '../src/doctor/credentials.js';
import { exportIsOff, judgeLog, logGroupOf } from '../src/doctor/log.js';
import { judgeRegion } from '../src/doctor/name.js';
import { type Decision, judgePolicy, missingPolicy, principalOf } from '../src/doctor/policy.js';
import { describeStep, judgeAll } from '../src/doctor/report.js';
import { judgeAccount, judgeEncryption, judgeMaster, judgeVersion, readCreateUser } from '../src/doctor/server.js';
import { failed, notChecked, passed } from '../src/doctor/step.js';
import { judgeTcp } from '../src/doctor/tcp.js';
import { judgeTls } from '../src/doctor/tls.js';
import { TimedOut } from '../src/doctor/within.js';
import { shellWord } from '../src/shell-word.js';

const HOST = 'mydb.abc123.eu-west-1.rds.amazonaws.com';
const AT = { hostname: HOST, port: 5432 };

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
])('the source of credentials that are marked %j', ($source, source) => {
  const identity = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'hidden', ...($source && { $source }) };
  const { seen, outcome } = judgeCredentials({ identity }, undefined);
  expect(outcome).toBe('passed');
  expect(seen).toContain(`access key AKIDEXAMPLE of ${source}`);
  expect(seen).not.toContain('hidden');
});

test('an SSO session that has ended is one of expired credentials, and a wrong profile is named', () => {
  const cause = new Error('The SSO session associated with this profile has expired. Please re-authenticate.');
  const error = new Error('no AWS credentials', { cause });
  expect(judgeCredentials({ error }, 'team').causes[0]).toMatchObject({
    diagnosis: 'expired-credentials',
    fix: [{ shell: 'aws sso login --profile team' }, {}],
  });
  const unknown = new Error('no AWS credentials', {
    cause: new Error('Could not resolve credentials using profile: [x]'),
  });
  expect(judgeCredentials({ error: unknown }, 'x').causes[0]).toMatchObject({
    diagnosis: 'no-credentials',
    why: expect.stringContaining('"x"'),
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
  ])('of %s, with --region %s and %s in the settings: %s', (followed, flag, settings, outcome, region) => {
    expect(judgeRegion({ followed, flag, settings })).toMatchObject({ step: { outcome }, region });
  });
});

test('no way to the server: the security group first, then the port', () => {
  const { outcome, causes } = judgeTcp({ error: new TimedOut(5_000) }, AT, 'aws rds describe');
  expect(outcome).toBe('failed');
  expect(causes.map(({ diagnosis }) => diagnosis)).toEqual(['no-route', 'wrong-port']);
  expect(causes[0]?.fix).toContainEqual({ shell: expect.stringContaining('--protocol tcp --port 5432 --cidr') });
});

test('a server that knows old TLS only', () => {
  const error = Object.assign(
    new Error('80B:error:0A00042E:SSL routines:ssl3_read_bytes:tlsv1 alert protocol version'),
    {
      code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
    },
  );
  const { causes, seen } = judgeTls({ offered: true, error }, { ...AT, ca: undefined, again: 'rds-iam doctor' });
  expect(causes[0]?.diagnosis).toBe('old-tls');
  expect(seen).toContain('no handshake with TLS 1.2 or 1.3');
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
  const principal = { kind: 'role', name: 'deployer', arn: 'arn:aws:iam::123456789012:role/deployer' } as const;
  const target = { region: 'eu-west-1', account: '123456789012', resourceId: 'db-ABC', username: 'app' };
  const allowed: Decision = { decision: 'allowed', policies: [], byOrganization: true, byBoundary: true };

  test.each<[string, Partial<Decision>, string, string | undefined, string]>([
    ['allowed', {}, 'passed', undefined, ''],
    ['not by the organization', { byOrganization: false }, 'failed', 'denied-by-policy', 'service control policies'],
    ['not by the boundary', { decision: 'implicitDeny', byBoundary: false }, 'failed', 'denied-by-policy', 'boundary'],
    ['by nobody', { decision: 'implicitDeny' }, 'failed', 'missing-policy', 'role "deployer"'],
  ])('%s', (_, decision, outcome, diagnosis, why) => {
    const step = judgePolicy({ answer: { ...allowed, ...decision } }, principal, target);
    expect(step.outcome).toBe(outcome);
    expect(step.causes[0]?.diagnosis).toBe(diagnosis);
    expect(step.causes[0]?.why ?? '').toContain(why);
  });

  test('what mends it, for a user of an odd name and for who is not known', () => {
    const [policy, put] = missingPolicy({ ...principal, name: "o'neil" }, { ...target, username: 'my app' }).fix;
    expect(policy).toEqual({ shell: expect.stringContaining("--username 'my app' > rds-iam-policy.json") });
    expect(put).toEqual({ shell: expect.stringContaining(`--role-name 'o'\\''neil' `) });
    expect(missingPolicy(undefined, target).fix[1]).toEqual({ shell: expect.stringContaining('--role-name ROLE') });
  });
});

describe("the host's log", () => {
  const context = {
    logGroupName: logGroupOf({ kind: 'cluster', identifier: 'shop' }),
    username: 'app',
    missingPolicy: { diagnosis: 'missing-policy', why: 'no policy', fix: [] },
  } as const;
  const entry = (message: string, atMs = 0) => ({ atMs, message });

  test.each([
    ['token age is longer than 15 minutes', 'clock-skew'],
    ['an internal IAM DB authentication error', 'other'],
    ['is not authorized to perform rds-db:connect on the DB instance', 'missing-policy'],
  ])('%s', (message, diagnosis) => {
    const { outcome, causes } = judgeLog({ answer: [entry(`app: ${message}`)] }, context);
    expect(outcome).toBe('failed');
    expect(causes[0]?.diagnosis).toBe(diagnosis);
  });

  test('the latest of this user counts, and no token in it is shown', () => {
    const token = `${HOST}:5432/?Action=connect&DBUser=app&X-Amz-Signature=0123456789abcdef`;
    const { seen, causes } = judgeLog(
      {
        answer: [
          entry('app: due to IAM DB authentication throttling'),
          entry(`app: the token ${token} is malformed or otherwise invalid`, 1_000),
          entry('other: due to IAM DB authentication throttling', 2_000),
        ],
      },
      context,
    );
    expect(causes[0]?.diagnosis).toBe('token-invalid');
    expect(seen).toMatch(/^1970-01-01T00:00:01.000Z /);
    expect(seen).not.toContain('0123456789abcdef');
  });

  test('without a refusal in it, without a log, and without an export: nothing is counted as passed', () => {
    expect(judgeLog({ answer: [entry('all is well')] }, context).outcome).toBe('not-checked');
    const error = new AwsError('ERR_RDS_IAM_AWS_REFUSED', 'no', { action: 'x', awsCode: 'ResourceNotFoundException' });
    expect(judgeLog({ error }, context)).toMatchObject({
      outcome: 'not-checked',
      seen: 'there is no log group /aws/rds/cluster/shop/iam-db-auth-error: its export may be off',
    });
    expect(exportIsOff({ kind: 'cluster', identifier: 'shop' }, 'eu-west-1').causes[0]?.fix[0]).toEqual({
      shell: expect.stringContaining('aws rds modify-db-cluster --db-cluster-identifier shop --region eu-west-1'),
    });
  });
});

describe('the version', () => {
  const seen = {
    engine: 'mysql',
    source: 'the server',
    isAurora: false,
    engineName: undefined,
    loggedIn: false,
    region: undefined,
    upgrade: 'aws rds modify-db-instance --db-instance-identifier mydb',
  } as const;

  test.each([
    [{ version: '8.0.39' }, 'passed'],
    [{ version: '8.0.15' }, 'failed'],
    [{ version: '8.0.15', loggedIn: true }, 'warned'],
    // Aurora numbers its versions by itself.
    [{ version: '5.7.12', isAurora: true }, 'passed'],
    [{ version: '10.5.27', engineName: 'mariadb' }, 'failed'],
    [{ version: '5.5.5-10.6.18-MariaDB' }, 'passed'],
    [{ version: undefined }, 'not-checked'],
    [{ version: 'unknown' }, 'not-checked'],
  ])('%j: %s', (version, outcome) => {
    expect(judgeVersion({ ...seen, ...version }).outcome).toBe(outcome);
  });
});

describe('the account', () => {
  const server = { version: '8.0.39', isAurora: false, tls: null };

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
    const step = judgeAccount({ ...server, mysql: readCreateUser(statement, 'app@%') }, 'app');
    expect(step.outcome).toBe(outcome);
    expect(JSON.stringify(step)).not.toContain('0123456789');
    for (const { fix } of step.causes)
      expect(fix[0]).toEqual({ sql: expect.stringMatching(/^ALTER USER `app`@`%` .*;$/) });
  });

  test('what the server does not show is not checked', () => {
    expect(judgeAccount(server, 'app').outcome).toBe('not-checked');
    const postgres = { username: 'app', hasRdsIam: undefined, masters: undefined };
    expect(judgeAccount({ ...server, postgres }, 'app').outcome).toBe('not-checked');
    expect(judgeMaster(postgres).outcome).toBe('not-checked');
    expect(judgeEncryption({ tls: undefined }).outcome).toBe('not-checked');
  });

  test('somebody in between let in a user without rds_iam', () => {
    const postgres = { username: 'a"b', hasRdsIam: false, masters: [] };
    expect(judgeAccount({ ...server, postgres }, 'app')).toMatchObject({
      outcome: 'warned',
      causes: [{ diagnosis: 'missing-grant', fix: [{ sql: 'GRANT rds_iam TO "a""b";' }] }],
    });
    expect(judgeEncryption(server)).toMatchObject({ outcome: 'warned', causes: [{ diagnosis: 'not-encrypted' }] });
  });
});

describe('the verdict', () => {
  const cause = { diagnosis: 'port-closed', why: 'closed', fix: [{ shell: 'open it' }] } as const;

  test('the code is that of the login, and what was not checked is no success', () => {
    expect(judgeAll([failed('clock', '', [cause]), passed('login', '')])).toEqual({
      ...{ works: true, cause: undefined, exitCode: 0 },
    });
    expect(judgeAll([notChecked('login', '')])).toEqual({ works: false, cause: undefined, exitCode: 1 });
    expect(judgeAll([failed('tcp', '', [cause]), notChecked('login', '')])).toMatchObject({ cause, exitCode: 1 });
    expect(judgeAll([failed('credentials', '', [cause])]).exitCode).toBe(3);
  });

  test('a wrong clock comes before what it makes look expired', () => {
    const clock = { ...cause, diagnosis: 'clock-skew' } as const;
    const steps = [failed('credentials', '', [cause]), failed('clock', '', [clock]), notChecked('login', '')];
    expect(judgeAll(steps)).toEqual({ works: false, cause: clock, exitCode: 3 });
  });

  test('what a server says cannot steer a terminal', () => {
    const hostile = 'a\x1b[2Jb\nc';
    const step = failed('tls', `${hostile}!`, [
      { diagnosis: 'other', why: hostile, fix: [{ do: hostile }, { sql: hostile }] },
    ]);
    const text = describeStep(step, [], (_, label) => label);
    expect(text.split('\n')).toHaveLength(4);
    expect(text).not.toContain('\x1b');
  });

  test('a cause is described once, and painted where that is wanted', () => {
    const first = failed('policy', 'denied', [cause]);
    const paint = (style: string, text: string) => `<${style}>${text}</>`;
    expect(describeStep(first, [], paint)).toBe(
      '<red>FAILED</>       policy       denied\n             closed\n               $ open it',
    );
    expect(describeStep(failed('login', 'refused', [cause]), [first], paint)).toMatch(/\n {13}closed: see policy$/);
  });

  test.each([
    ['a-b_c.d', 'a-b_c.d'],
    ['a b', "'a b'"],
    ["a'b", "'a'\\''b'"],
    ['$(x)', "'$(x)'"],
    ['', "''"],
  ])('%j is the word %s of a shell', (text, word) => {
    expect(shellWord(text)).toBe(word);
  });
});
