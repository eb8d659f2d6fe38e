import {
  type Aws,
  type AwsAnswer,
  denied,
  failure,
  result,
  silence,
  startAws,
  throttled,
} from '@rds-iam/test-servers/aws';
import { cluster, instance, proxy } from '@rds-iam/test-servers/rds-answers';
import { describe, expect, test } from 'vitest';
import { databaseTarget, secondsOf } from '../src/settings.js';
import { hasTerminal, runHere, start, startInTerminal, tool } from './command-line.js';

const HOST = 'mydb.abc123.eu-west-1.rds.amazonaws.com';
const MYDB = ['--instance', 'mydb', '--poll-interval', '0.02'];
const IAM = { identifier: 'mydb', kind: 'instance', resourceId: 'db-ABCDEFGHIJKL' };

/** An RDS that, after it was asked for a change, goes through these answers and repeats the last. */
function rdsThat(before: AwsAnswer, ...after: AwsAnswer[]) {
  const state = { changed: false, left: [...after] };
  const describe = () => {
    if (!state.changed) return before;
    return (state.left.length > 1 ? state.left.shift() : state.left[0]) ?? before;
  };
  const modify = () => {
    state.changed = true;
    return result({ DBInstance: { DBInstanceIdentifier: 'mydb' }, DBCluster: { DBClusterIdentifier: 'shop' } });
  };
  return { DescribeDBInstances: describe, ModifyDBInstance: modify };
}

const AT_IT = { DBInstanceStatus: 'configuring-iam-database-auth' };
const ON = { IAMDatabaseAuthenticationEnabled: true };
const PENDING = { PendingModifiedValues: ON };

const modifications = (aws: Aws) =>
  aws.calls.filter(({ action }) => action.startsWith('Modify')).map(({ parameters }) => parameters);

describe('enable', () => {
  test('says what it changes, waits until it is applied, and says so', async () => {
    await using aws = await startAws({
      rds: rdsThat(instance(), instance(PENDING), instance({ ...PENDING, ...AT_IT }), instance(AT_IT), instance(ON)),
    });
    const { exitCode, stdout, stderr } = await runHere(
      ['enable', `postgres://app@${HOST}/shop`, '--yes', '--poll-interval', '0.02'],
      { ...aws.variables, AWS_REGION: 'eu-west-1' },
    );
    expect(stdout).toBe('IAM authentication is on for the instance mydb\n');
    expect(stderr.split('\n')).toEqual([
      'rds-iam: IAM authentication will be turned on for the instance mydb (db-ABCDEFGHIJKL, postgres 16.4 in eu-west-1, account 123456789012)',
      expect.stringContaining('logins with a password go on as before'),
      'rds-iam: RDS does it at once',
      'rds-iam: the instance mydb is "available", and IAM authentication off',
      'rds-iam: the instance mydb is "configuring-iam-database-auth", and IAM authentication off',
      '',
    ]);
    expect(exitCode).toBe(0);
    expect(modifications(aws)).toEqual([
      { DBInstanceIdentifier: 'mydb', EnableIAMDatabaseAuthentication: 'true', ApplyImmediately: 'true' },
    ]);
  });

  test('an instance in a cluster: changes the cluster', async () => {
    const { ModifyDBInstance: ModifyDBCluster, DescribeDBInstances: DescribeDBClusters } = rdsThat(
      cluster(),
      cluster(ON),
    );
    await using aws = await startAws({
      rds: {
        ...{ ModifyDBCluster, DescribeDBClusters },
        DescribeDBInstances: instance({ DBClusterIdentifier: 'shop' }),
      },
    });
    const { exitCode, stdout, stderr } = await runHere(['enable', ...MYDB, '--yes', '--json'], aws.variables);
    expect(stderr).toContain('the instance mydb belongs to the cluster shop');
    expect(JSON.parse(stdout)).toEqual({
      ...{ kind: 'cluster', identifier: 'shop', resourceId: 'cluster-ABCDEFGH', region: 'eu-west-1' },
      ...{ accountId: '123456789012', iamEnabled: true, outcome: 'applied' },
    });
    expect(exitCode).toBe(0);
    expect(modifications(aws)).toEqual([
      { DBClusterIdentifier: 'shop', EnableIAMDatabaseAuthentication: 'true', ApplyImmediately: 'true' },
    ]);
  });

  test('changes nothing if it is on already', async () => {
    await using aws = await startAws({ rds: { DescribeDBInstances: instance(ON) } });
    const { exitCode, stdout, stderr } = await runHere(['enable', ...MYDB], aws.variables);
    expect({ exitCode, stdout, stderr }).toEqual({
      ...{ exitCode: 0, stdout: 'IAM authentication is on already for the instance mydb\n', stderr: '' },
    });
    expect(modifications(aws)).toEqual([]);
  });

  test('--dry-run says what it would change, and changes nothing', async () => {
    await using aws = await startAws({ rds: { DescribeDBInstances: instance() } });
    const { exitCode, stdout, stderr } = await runHere(['enable', ...MYDB, '--dry-run', '--json'], aws.variables);
    expect(JSON.parse(stdout)).toMatchObject({ ...IAM, iamEnabled: false, outcome: 'planned' });
    expect(stderr).toContain('will be turned on for the instance mydb');
    expect(exitCode).toBe(0);
    expect(aws.actions).toEqual(['rds:DescribeDBInstances']);
  });

  test('refuses without a terminal and without --yes', async () => {
    await using aws = await startAws({ rds: { DescribeDBInstances: instance() } });
    const { exitCode, stdout, stderr } = await runHere(['enable', ...MYDB], aws.variables);
    expect(stderr).toContain('nothing was changed: there is no terminal for the question: give --yes');
    expect(stdout).toBe('');
    expect(exitCode).toBe(2);
    expect(modifications(aws)).toEqual([]);
  });

  const more = instance({ PendingModifiedValues: { EngineVersion: '17.1', DBInstanceClass: 'db.r6g.large' } });

  test('--yes alone does not also apply other changes', async () => {
    await using aws = await startAws({ rds: { DescribeDBInstances: more } });
    const { exitCode, stderr } = await runHere(['enable', ...MYDB, '--yes'], aws.variables);
    expect(stderr).toContain('warning: RDS then also applies at once');
    expect(stderr).toMatch(/nothing was changed: .*DBInstanceClass, EngineVersion.*give --apply-immediately/);
    expect(exitCode).toBe(2);
    expect(modifications(aws)).toEqual([]);
  });

  test('--no-apply-immediately leaves everything to the maintenance window, and does not wait', async () => {
    await using aws = await startAws({ rds: rdsThat(more) });
    const args = ['enable', ...MYDB, '--yes', '--no-apply-immediately'];
    const { exitCode, stdout, stderr } = await runHere(args, aws.variables);
    expect(stderr).toContain('in the next maintenance window (sun:04:00-sun:04:30, UTC)');
    expect(stdout).toContain('turning IAM authentication on was requested');
    expect(exitCode).toBe(0);
    expect(modifications(aws)).toMatchObject([{ ApplyImmediately: 'false' }]);
    expect(aws.actions.at(-1)).toBe('rds:ModifyDBInstance');
  });

  test('--apply-immediately applies them, --no-wait does not wait', async () => {
    await using aws = await startAws({ rds: rdsThat(more) });
    const { stdout } = await runHere(
      ['enable', ...MYDB, '--yes', '--apply-immediately', '--no-wait', '--json'],
      aws.variables,
    );
    expect(JSON.parse(stdout)).toMatchObject({ outcome: 'requested', iamEnabled: false });
    expect(modifications(aws)).toMatchObject([{ ApplyImmediately: 'true' }]);
    expect(aws.actions.at(-1)).toBe('rds:ModifyDBInstance');
  });

  test('waits for a change that was requested before, without requesting it again', async () => {
    let looks = 0;
    const DescribeDBInstances = () => {
      looks += 1;
      return instance(looks > 2 ? ON : { ...AT_IT, ...PENDING });
    };
    await using aws = await startAws({ rds: { DescribeDBInstances } });
    const { exitCode, stdout, stderr } = await runHere(['enable', ...MYDB], aws.variables);
    expect(stderr).toContain('that was requested before');
    expect(stdout).toBe('IAM authentication is on for the instance mydb\n');
    expect(exitCode).toBe(0);
    expect(modifications(aws)).toEqual([]);
  });

  test('repeats a failed check; --timeout limits the whole, and the error says how things stand', async () => {
    await using aws = await startAws({ rds: rdsThat(instance(), throttled(), instance({ ...AT_IT, ...PENDING })) });
    const args = ['enable', ...MYDB, '--yes', '--timeout', '1', '--json'];
    const { exitCode, stdout, stderr } = await runHere(args, { ...aws.variables, AWS_MAX_ATTEMPTS: '1' });
    expect(stderr).toContain('too many requests');
    const { error } = JSON.parse(stderr.trim().split('\n').at(-1) ?? '');
    expect(error.code).toBe('ERR_RDS_IAM_FAILED');
    expect(error.message).toMatch(
      /^the change was requested, but not applied within 1 seconds .*"configuring-iam-database-auth".* rds-iam enable --instance mydb --region eu-west-1$/,
    );
    expect(stdout).toBe('');
    expect(exitCode).toBe(1);
  });

  test('says that the change was requested if it may no longer check', async () => {
    await using aws = await startAws({ rds: rdsThat(instance(), denied()) });
    const { exitCode, stderr } = await runHere(['enable', ...MYDB, '--yes'], aws.variables);
    expect(stderr).toMatch(/may not rds:DescribeDBInstances.*the change was requested.*rds-iam enable --instance mydb/);
    expect(exitCode).toBe(1);
  });

  test.each<[string, AwsAnswer, RegExp]>([
    ['denied', denied(), /may not rds:ModifyDBInstance: allow that action/],
    [
      'for a stopped instance',
      failure(400, 'InvalidDBInstanceState', 'Database instance is not in available state.'),
      /nothing was changed: the instance mydb is "stopped"/,
    ],
    [
      'for an engine that does not support it',
      failure(
        400,
        'InvalidParameterCombination',
        'IAM Database Authentication is not supported for this configuration.',
      ),
      /AWS refused rds:ModifyDBInstance: InvalidParameterCombination: IAM/,
    ],
  ])('%s', async (_, answer, message) => {
    await using aws = await startAws({
      rds: { DescribeDBInstances: instance({ DBInstanceStatus: 'stopped' }), ModifyDBInstance: answer },
    });
    const { exitCode, stderr } = await runHere(['enable', ...MYDB, '--yes'], aws.variables);
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(1);
  });

  test('for a proxy', async () => {
    await using aws = await startAws({ rds: { DescribeDBProxies: proxy() } });
    const args = ['enable', '--hostname', 'pool.proxy-abc123.eu-west-1.rds.amazonaws.com', '--yes'];
    const { exitCode, stderr } = await runHere(args, aws.variables);
    expect(stderr).toContain('pool is a proxy');
    expect(exitCode).toBe(2);
  });

  test('a signal while it waits for AWS', async () => {
    await using aws = await startAws({ rds: { DescribeDBInstances: silence() } });
    const running = start(process.execPath, tool('enable', ...MYDB, '--yes'), aws.variables);
    await aws.asked('rds:DescribeDBInstances');
    running.child.kill('SIGTERM');
    const { exitCode, stderr } = await running.outcome;
    expect(stderr).toBe('rds-iam: error: nothing was changed\n');
    expect(exitCode).toBe(143);
  });
});

test('disable', async () => {
  const off = { PendingModifiedValues: { IAMDatabaseAuthenticationEnabled: false } };
  await using aws = await startAws({ rds: rdsThat(instance(ON), instance({ ...ON, ...off }), instance()) });
  const { exitCode, stdout, stderr } = await runHere(['disable', ...MYDB, '--yes'], aws.variables);
  expect(stderr).toContain('can then no longer log in');
  expect(stdout).toBe('IAM authentication is off for the instance mydb\n');
  expect(exitCode).toBe(0);
  expect(modifications(aws)).toMatchObject([{ EnableIAMDatabaseAuthentication: 'false' }]);
});

describe.skipIf(!hasTerminal)('in a terminal', () => {
  const QUESTION = /Turn IAM authentication on\? \(y\/N\)/;

  test('y goes ahead, with a spinner', async () => {
    await using aws = await startAws({ rds: rdsThat(instance(), instance({ ...AT_IT, ...PENDING }), instance(ON)) });
    const running = startInTerminal(['enable', ...MYDB], aws.variables);
    await running.said(QUESTION);
    running.child.stdin.write('y\n');
    const { exitCode, stdout } = await running.outcome;
    expect(stdout).toContain('is "configuring-iam-database-auth", and IAM authentication off, 0 s');
    expect(stdout).toMatch(/IAM authentication is on for the instance mydb\r\n$/);
    expect(exitCode).toBe(0);
    expect(modifications(aws)).toHaveLength(1);
  });

  test.each([
    ['n', 'n\n', 1],
    ['just Enter', '\n', 1],
    ['Ctrl-D', '\x04', 1],
    ['Ctrl-C', '\x03', 130],
  ])('%s as the answer changes nothing', async (_, keys, code) => {
    await using aws = await startAws({ rds: rdsThat(instance()) });
    const running = startInTerminal(['enable', ...MYDB], aws.variables);
    await running.said(QUESTION);
    running.child.stdin.write(keys);
    const { exitCode, stdout } = await running.outcome;
    expect(stdout).toContain('nothing was changed');
    expect(exitCode).toBe(code);
    expect(modifications(aws)).toEqual([]);
  });

  test('Ctrl-C during the wait says that the change goes on, and how to see it through', async () => {
    await using aws = await startAws({ rds: rdsThat(instance(), instance({ ...AT_IT, ...PENDING })) });
    const running = startInTerminal(['enable', '--instance', 'mydb', '--yes'], aws.variables);
    await running.said(/is "configuring-iam-database-auth"/);
    running.child.stdin.write('\x03');
    const { exitCode, stdout } = await running.outcome;
    expect(stdout).toMatch(
      /the change was requested, and RDS goes on with it; to see it through: rds-iam enable --instance mydb --region eu-west-1\r\n/,
    );
    // The cursor is visible again.
    expect(stdout.lastIndexOf('\x1b[?25h')).toBeGreaterThan(stdout.lastIndexOf('\x1b[?25l'));
    expect(exitCode).toBe(130);
  });

  test('Ctrl-C during the request says that RDS may have received it', async () => {
    await using aws = await startAws({ rds: { DescribeDBInstances: instance(), ModifyDBInstance: silence() } });
    const running = startInTerminal(['enable', ...MYDB, '--yes'], aws.variables);
    await aws.asked('rds:ModifyDBInstance');
    running.child.stdin.write('\x03');
    const { exitCode, stdout } = await running.outcome;
    expect(stdout).toContain('RDS may or may not have received the request');
    expect(exitCode).toBe(130);
  });
});

test.each([
  [{}, {}, 'the database is missing'],
  [{ instance: 'mydb', cluster: 'shop' }, {}, 'give one of --instance, --cluster'],
  [{ instance: 'mydb', url: `postgres://app@${HOST}` }, {}, 'give one of --instance, --cluster'],
])('%j is wrong usage', (flags, environment, message) => {
  expect(() => databaseTarget(flags, environment)).toThrow(message);
});

test.each<[Parameters<typeof databaseTarget>[0], Record<string, string>, object]>([
  [{ cluster: 'shop' }, { DATABASE_URL: 'postgres://:port' }, { kind: 'cluster', identifier: 'shop' }],
  [{ hostname: HOST }, {}, { hostname: HOST }],
  [{}, { DATABASE_URL: `mysql://app@${HOST}` }, { hostname: HOST }],
])('%j is about', (flags, environment, target) => {
  expect(databaseTarget(flags, environment)).toEqual(target);
});

test.each(['', 'long', '0', '-1', '1e3', '901'])('%j is not a number of seconds up to 900', (text) => {
  expect(() => secondsOf('--timeout', text, 900)).toThrow('--timeout must be a number of seconds');
});
