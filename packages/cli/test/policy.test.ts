import { type AwsAnswer, denied, silence, startAws } from '@rds-iam/test-servers/aws';
import { cluster, instance, proxy } from '@rds-iam/test-servers/rds-answers';
import { describe, expect, test } from 'vitest';
import { leastPolicy, type PolicyRequest } from '../src/policy.js';
import { hasTerminal, runHere, startInTerminal } from './command-line.js';

const REQUEST: PolicyRequest = {
  usernames: ['app'],
  resourceIds: ['db-ABCDEFGHIJKL'],
  region: 'eu-west-1',
  accountId: '123456789012',
};

describe('policy', () => {
  test('prints one permission for each user and database', async () => {
    const { exitCode, stdout, stderr } = await runHere(
      [
        ...['policy', '--account-id', '123456789012', '--username', 'app', 'jobs'],
        ...['--resource-id', 'cluster-ABC123', '--resource-id', 'prx-0abc'],
      ],
      { AWS_REGION: 'cn-north-1' },
    );
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    const arn = 'arn:aws-cn:rds-db:cn-north-1:123456789012:dbuser';
    expect(JSON.parse(stdout)).toEqual({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: 'rds-db:connect',
          Resource: [
            `${arn}:cluster-ABC123/app`,
            `${arn}:cluster-ABC123/jobs`,
            `${arn}:prx-0abc/app`,
            `${arn}:prx-0abc/jobs`,
          ],
        },
      ],
    });
  });

  test.each([
    ['eu-west-1', 'aws'],
    ['us-gov-west-1', 'aws-us-gov'],
    ['cn-northwest-1', 'aws-cn'],
    ['us-iso-east-1', 'aws-iso'],
    ['eusc-de-east-1', 'aws-eusc'],
  ])('in %s the partition is %s', (region, partition) => {
    expect(JSON.stringify(leastPolicy({ ...REQUEST, region }))).toContain(
      `"arn:${partition}:rds-db:${region}:123456789012:dbuser:db-ABCDEFGHIJKL/app"`,
    );
  });

  test.each<[string, Partial<PolicyRequest>, RegExp]>([
    ['no user', { usernames: [] }, /--username is missing/],
    ['no database', { resourceIds: [] }, /--resource-id is missing/],
    ['a name in place of an id', { resourceIds: ['mydb'] }, /not a name/],
    ['a slash in an id', { resourceIds: ['db-A/app'] }, /not a name/],
    ['an invalid region', { region: '*' }, /--region/],
    ['an invalid account', { accountId: '*' }, /--account-id/],
    ['every user', { usernames: ['*'] }, /--wildcards/],
    ['a wildcard in a user', { usernames: ['app?'] }, /--wildcards/],
    ["a policy's variable", { usernames: [`$${'{aws:username}'}`] }, /--wildcards/],
    ['every database', { resourceIds: ['*'] }, /--wildcards/],
    ['another kind of id', { resourceIds: ['x/*'], wildcards: true }, /not a name/],
  ])('%s is refused', (_, given, message) => {
    expect(() => leastPolicy({ ...REQUEST, ...given })).toThrow(message);
  });

  test('wildcards on request', () => {
    const policy = leastPolicy({ ...REQUEST, usernames: ['*'], resourceIds: ['db-*'], wildcards: true });
    expect(JSON.stringify(policy)).toContain(':dbuser:db-*/*"');
  });
});

describe('policy looks ids up', () => {
  const SUFFIX = 'abc123.eu-west-1.rds.amazonaws.com';
  const ON = { IAMDatabaseAuthenticationEnabled: true };

  test.each<[string, Record<string, AwsAnswer>, string, string]>([
    ['an instance', { DescribeDBInstances: instance(ON) }, `mydb.${SUFFIX}`, 'db-ABCDEFGHIJKL'],
    ['the reader of a cluster', { DescribeDBClusters: cluster(ON) }, `shop.cluster-ro-${SUFFIX}`, 'cluster-ABCDEFGH'],
    ['a proxy', { DescribeDBProxies: proxy() }, `pool.proxy-${SUFFIX}`, 'prx-0abc'],
  ])('for %s', async (_, rds, hostname, id) => {
    await using aws = await startAws({ rds });
    const { exitCode, stdout, stderr } = await runHere(['policy', `postgresql://app@${hostname}:5432/shop`], {
      ...aws.variables,
      AWS_REGION: 'us-east-1',
    });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)['Statement'][0]['Resource']).toEqual([
      `arn:aws:rds-db:eu-west-1:123456789012:dbuser:${id}/app`,
    ]);
    expect(exitCode).toBe(0);
  });

  test('for users other than the one in the URL, and says that IAM authentication is off', async () => {
    await using aws = await startAws({ rds: { DescribeDBInstances: instance() } });
    const { stdout, stderr } = await runHere(['policy', '--username', 'a', 'b', '--hostname', `mydb.${SUFFIX}`], {
      ...aws.variables,
      PGUSER: 'c',
    });
    expect(JSON.parse(stdout)['Statement'][0]['Resource']).toEqual([
      expect.stringMatching(/\/a$/),
      expect.stringMatching(/\/b$/),
    ]);
    expect(stderr).toContain(
      'warning: IAM authentication is off for the instance mydb: rds-iam enable --instance mydb',
    );
  });

  test('but not with flags that name them', async () => {
    await using aws = await startAws();
    const args = ['--resource-id', 'db-ABC', '--account-id', '123456789012', '--username', 'app'];
    const { stdout } = await runHere(['policy', ...args], {
      ...aws.variables,
      DATABASE_URL: `postgres://bob@mydb.${SUFFIX}`,
    });
    expect(stdout).toContain('"arn:aws:rds-db:eu-west-1:123456789012:dbuser:db-ABC/app"');
    expect(aws.requests).toEqual([]);
  });

  test('but not without permission: the error names it, and the flags that need none', async () => {
    await using aws = await startAws({ rds: { DescribeDBInstances: denied() } });
    const { exitCode, stdout, stderr } = await runHere(['policy', `postgres://app@mydb.${SUFFIX}`], aws.variables);
    expect(stderr).toMatch(
      /may not rds:DescribeDBInstances.*Without AWS: give --resource-id, --account-id and --region/,
    );
    expect(stdout).toBe('');
    expect(exitCode).toBe(1);
  });

  test.each([
    ['no user', ['--hostname', `mydb.${SUFFIX}`], '--username is missing'],
    ['no endpoint and no id', ['--username', 'app'], 'or the URL or --hostname'],
    ['another account', ['--account-id', '210987654321', `postgres://app@mydb.${SUFFIX}`], 'belongs to 123456789012'],
  ])('%s: code 2', async (_, args, message) => {
    await using aws = await startAws({ rds: { DescribeDBInstances: instance() } });
    const { exitCode, stderr } = await runHere(['policy', ...args], aws.variables);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });

  test.skipIf(!hasTerminal)('until Ctrl-C', async () => {
    await using aws = await startAws({ rds: { DescribeDBInstances: silence() } });
    const running = startInTerminal(['policy', `postgres://app@mydb.${SUFFIX}`], aws.variables);
    await aws.asked('rds:DescribeDBInstances');
    running.child.stdin.write('\x03');
    expect((await running.outcome).exitCode).toBe(130);
  });
});
