import { CloudWatchLogsClient, DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { GetUserCommand, IAMClient } from '@aws-sdk/client-iam';
import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { describe, expect, test } from 'vitest';
import {
  ACCOUNT,
  type AwsAnswer,
  CREDENTIALS,
  denied,
  failure,
  malformed,
  result,
  silence,
  startAws,
  throttled,
  UNREACHABLE,
} from '../src/aws.js';

const settings = (endpoint: string, region = 'eu-west-1') => ({
  ...{ endpoint, region, credentials: CREDENTIALS },
  maxAttempts: 1,
});

/** One call of each service, with the real clients. */
const CALLS = {
  rds: (url: string, region?: string) =>
    new RDSClient(settings(url, region)).send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: 'mydb' })),
  sts: (url: string, region?: string) => new STSClient(settings(url, region)).send(new GetCallerIdentityCommand({})),
  iam: (url: string, region = 'us-east-1') =>
    new IAMClient(settings(url, region)).send(new GetUserCommand({ UserName: 'app' })),
  logs: (url: string, region?: string) =>
    new CloudWatchLogsClient(settings(url, region)).send(new DescribeLogGroupsCommand({ logGroupNamePrefix: '/aws' })),
};

const ACTIONS = [
  ['rds', 'DescribeDBInstances'],
  ['sts', 'GetCallerIdentity'],
  ['iam', 'GetUser'],
  ['logs', 'DescribeLogGroups'],
] as const;

describe('the stand-in for AWS and the clients of the SDK', () => {
  test('requests and responses', async () => {
    await using aws = await startAws({
      rds: {
        DescribeDBInstances: ({ parameters }) =>
          result({ DBInstances: { DBInstance: [{ DBInstanceIdentifier: parameters['DBInstanceIdentifier'] }, {}] } }),
      },
      iam: { GetUser: result({ User: { UserName: 'a<&b', CreateDate: new Date(0) } }) },
      logs: {
        DescribeLogGroups: ({ parameters }) => result({ logGroups: [{ arn: parameters['logGroupNamePrefix'] }] }),
      },
    });
    expect((await CALLS.rds(aws.url)).DBInstances).toMatchObject([{ DBInstanceIdentifier: 'mydb' }, {}]);
    expect(await CALLS.sts(aws.url)).toMatchObject({ Account: ACCOUNT });
    expect((await CALLS.iam(aws.url)).User).toMatchObject({ UserName: 'a<&b', CreateDate: new Date(0) });
    expect((await CALLS.logs(aws.url)).logGroups).toEqual([{ arn: '/aws' }]);
    expect(aws.actions).toEqual([
      'rds:DescribeDBInstances',
      'sts:GetCallerIdentity',
      'iam:GetUser',
      'logs:DescribeLogGroups',
    ]);
    expect(aws.calls[0]).toMatchObject({ region: 'eu-west-1', accessKeyId: CREDENTIALS.accessKeyId });
  });

  describe.each(ACTIONS)('%s', (service, action) => {
    test.each<[string, AwsAnswer | undefined, RegExp]>([
      ['denied', denied(), new RegExp(`^AccessDenied(?:Exception)?: .*perform: ${service}:${action}`)],
      ['throttled', throttled(), /^Throttling(?:Exception)?: Rate exceeded/],
      ['any failure', failure(500, 'InternalFailure', 'oh'), /^InternalFailure: oh/],
      ['malformed', malformed(), /./],
    ])('%s', async (_, answer, message) => {
      await using aws = await startAws({ [service]: { [action]: answer } });
      const error = await CALLS[service](aws.url).then(String, String);
      expect(error).toMatch(message);
    });

    test('signed for another region', async () => {
      await using aws = await startAws({ [service]: { [action]: result() } });
      await expect(CALLS[service](aws.url, 'eu-west-2')).rejects.toThrow(/should be scoped to/);
      expect(aws.calls).toEqual([]);
    });

    test('out of reach', async () => {
      await expect(CALLS[service](UNREACHABLE)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    });
  });

  test('an answer that never comes, and one that comes late', async () => {
    let release = (_: AwsAnswer) => {};
    const late = new Promise<AwsAnswer>((resolve) => {
      release = resolve;
    });
    await using aws = await startAws({ sts: { GetCallerIdentity: silence() } });
    const client = new STSClient(settings(aws.url));
    const abortSignal = AbortSignal.timeout(50);
    await expect(client.send(new GetCallerIdentityCommand({}), { abortSignal })).rejects.toMatchObject({
      name: 'AbortError',
    });
    aws.answer({ sts: { GetCallerIdentity: () => late } });
    const answered = CALLS.sts(aws.url);
    release(result({ Account: '210987654321' }));
    expect(await answered).toMatchObject({ Account: '210987654321' });
  });

  test('a request without a signature, and the time', async () => {
    await using aws = await startAws();
    const unsigned = await fetch(aws.url, { method: 'POST', body: 'Action=GetCallerIdentity&Version=2011-06-15' });
    expect(unsigned.status).toBe(403);
    expect(await unsigned.text()).toContain('MissingAuthenticationToken');
    aws.dateOffsetMs = 3_600_000;
    const { status, headers } = await fetch(aws.url, { method: 'HEAD', redirect: 'manual' });
    expect(status).toBe(302);
    expect(Date.parse(headers.get('date') ?? '') - Date.now()).toBeGreaterThan(3_500_000);
  });
});
