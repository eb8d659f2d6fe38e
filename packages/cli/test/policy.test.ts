import { describe, expect, test } from 'vitest';
import { leastPolicy, type PolicyRequest } from '../src/policy.js';
import { rdsIam } from './command-line.js';

const REQUEST: PolicyRequest = {
  usernames: ['app'],
  resourceIds: ['db-ABCDEFGHIJKL'],
  region: 'eu-west-1',
  accountId: '123456789012',
};

describe('policy', () => {
  test('prints one permission for each user and database', async () => {
    const { exitCode, stdout, stderr } = await rdsIam(
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
    ['a region that is none', { region: '*' }, /--region/],
    ['an account that is none', { accountId: '*' }, /--account-id/],
    ['every user', { usernames: ['*'] }, /--wildcards/],
    ['a user who stands for others', { usernames: ['app?'] }, /--wildcards/],
    ["a policy's variable", { usernames: [`$${'{aws:username}'}`] }, /--wildcards/],
    ['every database', { resourceIds: ['*'] }, /--wildcards/],
    ['another kind of id', { resourceIds: ['x/*'], wildcards: true }, /not a name/],
  ])('%s is refused', (_, given, message) => {
    expect(() => leastPolicy({ ...REQUEST, ...given })).toThrow(message);
  });

  test('wildcards where they are asked for', () => {
    const policy = leastPolicy({ ...REQUEST, usernames: ['*'], resourceIds: ['db-*'], wildcards: true });
    expect(JSON.stringify(policy)).toContain(':dbuser:db-*/*"');
  });
});
