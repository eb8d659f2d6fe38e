// What the doctor learns from AWS, and what it says if AWS does not answer properly.
import { CREDENTIALS } from '@rds-iam/test-servers';
import { denied, failure, malformed, result, silence, throttled, UNREACHABLE } from '@rds-iam/test-servers/aws';
import { cluster, instance, proxy } from '@rds-iam/test-servers/rds-answers';
import { describe, expect, test } from 'vitest';
import { mostLikely, outcomes, sharedRdsLikePostgres, simulated, startWorld } from './doctor-world.js';

const { postgres, rdsLike } = sharedRdsLikePostgres();

describe('what AWS says', () => {
  /** With this key, only another user may log in. */
  const notPermitted = () => ({ ...rdsLike(), accessKeys: [{ ...CREDENTIALS, usernames: ['somebody-else'] }] });

  test('no policy for this user', async () => {
    await using world = await startWorld(notPermitted(), {
      iam: { SimulatePrincipalPolicy: simulated('implicitDeny') },
    });
    const seen = await world.examine();
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'missing-policy' });
    expect(world.emulator.stats.refused['not-authorized']).toBe(1);
    expect(seen.report.cause?.fix).toEqual([
      {
        shell:
          'rds-iam policy --account-id 123456789012 --region eu-west-1 --resource-id db-ABCDEFGHIJKL --username app > rds-iam-policy.json',
      },
      {
        shell:
          'aws iam put-user-policy --user-name app --policy-name rds-iam --policy-document file://rds-iam-policy.json',
      },
    ]);
  });

  test("a policy that denies, for a role whose path is not in its session's name", async () => {
    const role = 'arn:aws:iam::123456789012:role/team/deployer';
    await using world = await startWorld(notPermitted(), {
      sts: {
        GetCallerIdentity: result({
          Arn: 'arn:aws:sts::123456789012:assumed-role/deployer/me',
          UserId: 'AROAEXAMPLE:me',
          Account: '123456789012',
        }),
      },
      iam: {
        GetRole: result({ Role: { RoleName: 'deployer', Arn: role } }),
        SimulatePrincipalPolicy: ({ parameters }) =>
          parameters['PolicySourceArn'] === role
            ? simulated('explicitDeny', { MatchedStatements: { member: [{ SourcePolicyId: 'no-databases' }] } })
            : failure(404, 'NoSuchEntity', 'The role cannot be found.'),
      },
    });
    const seen = await world.examine();
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'denied-by-policy' });
    expect(seen.step('policy').causes[0]?.why).toContain('a policy of the role "deployer" (no-databases) denies');
  });

  test('IAM authentication is off', async () => {
    // The server then asks every user for a password.
    await using world = await startWorld(
      { ...rdsLike(), iamUsers: [] },
      { rds: { DescribeDBInstances: instance({ IAMDatabaseAuthenticationEnabled: false }) } },
    );
    await postgres().run("alter user app password 'stored'", 'revoke rds_iam from app');
    try {
      const seen = await world.examine();
      expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'iam-off' });
      expect(seen.report.cause?.fix).toEqual([{ shell: 'rds-iam enable --instance mydb --region eu-west-1' }]);
    } finally {
      await postgres().run('grant rds_iam to app', 'alter user app password null');
    }
  });

  const SUFFIX = 'abc123.eu-west-1.rds.amazonaws.com';
  const ARN = 'arn:aws:rds-db:eu-west-1:123456789012:dbuser';

  test.each([
    [
      'an Aurora cluster',
      `shop.cluster-ro-${SUFFIX}`,
      { DescribeDBClusters: cluster({ IAMDatabaseAuthenticationEnabled: true }) },
      `${ARN}:cluster-ABCDEFGH/app`,
      'cluster "shop" (cluster-ABCDEFGH), aurora-postgresql 16.4: IAM authentication is on',
    ],
    [
      'a proxy',
      `pool.proxy-${SUFFIX}`,
      { DescribeDBProxies: proxy() },
      `${ARN}:prx-0abc/app`,
      'proxy "pool" (prx-0abc), POSTGRESQL: IAM authentication is on',
    ],
  ])('%s', async (_, host, rds, arn, described) => {
    await using world = await startWorld({ ...notPermitted(), hostnames: [host] }, { rds });
    world.dns.a(host, '127.0.0.1');
    const seen = await world.examine({ host });
    expect(seen.step('database')).toMatchObject({ outcome: 'passed', seen: described });
    const simulation = world.aws.calls.find(({ action }) => action === 'SimulatePrincipalPolicy');
    expect(simulation?.parameters['ResourceArns.member.1']).toBe(arn);
    expect(seen.step('login').outcome).toBe('failed');
    // Neither exports its log: a proxy cannot.
    expect(seen.step('log').outcome).toBe('not-checked');
    expect(world.aws.actions).not.toContain('logs:FilterLogEvents');
  });

  test('a database in another account', async () => {
    const none = failure(404, 'DBInstanceNotFound', 'DBInstance mydb not found.');
    await using world = await startWorld(notPermitted(), { rds: { DescribeDBInstances: none } });
    const seen = await world.examine();
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'not-in-account' });
    expect(seen.step('policy').outcome).toBe('not-checked');
  });

  test('an engine that is too old, according to the RDS API', async () => {
    // Instead of a real PostgreSQL 9.5, a server that asks for a password as that would.
    await using world = await startWorld(rdsLike(), {
      rds: { DescribeDBInstances: instance({ EngineVersion: '9.5.14', IAMDatabaseAuthenticationEnabled: true }) },
    });
    const seen = await world.examine({ user: 'clerk' });
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'engine-too-old' });
    expect(seen.step('version')).toMatchObject({ outcome: 'failed', seen: 'PostgreSQL 9.5.14, says the RDS API' });
    expect(seen.step('version').causes[0]?.fix).toEqual([
      {
        shell: `aws rds describe-db-engine-versions --engine postgres --region eu-west-1 --query 'DBEngineVersions[].EngineVersion'`,
      },
      { shell: expect.stringContaining('--db-instance-identifier mydb --region eu-west-1 --engine-version') },
    ]);
  });

  test('without permission to ask RDS, the command that turns on IAM authentication includes the region', async () => {
    const denied = failure(403, 'AccessDenied', 'not authorized');
    await using world = await startWorld(rdsLike(), { rds: { DescribeDBInstances: denied } });
    const seen = await world.examine({ user: 'clerk' });
    expect(seen.step('login').causes.at(-1)).toMatchObject({
      diagnosis: 'iam-off',
      fix: [{ shell: 'rds-iam enable --instance mydb --region eu-west-1' }],
    });
  });

  const logged = (message: string) =>
    result({ events: [{ timestamp: Date.now(), message: `User app@10.0.0.7: ${message}`, eventId: '1' }] });

  test.each([
    [
      'failed because of IAM DB authentication throttling',
      'throttled',
      { throttle: { connectionsPerSecond: 0, action: 'deny' } },
    ],
    [
      'is not authorized to perform rds-db:connect on the DB instance',
      'missing-policy',
      { revokedAccessKeys: [CREDENTIALS.accessKeyId] },
    ],
    ['the token is malformed or otherwise invalid', 'token-invalid', { revokedAccessKeys: [CREDENTIALS.accessKeyId] }],
  ] as const)("the host's own reason: %s", async (message, diagnosis, faults) => {
    await using world = await startWorld(rdsLike(), { logs: { FilterLogEvents: logged(message) } });
    world.emulator.setFaults(faults);
    const seen = await world.examine();
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis });
    expect(seen.step('log')).toMatchObject({ outcome: 'failed', seen: expect.stringContaining(message) });
    expect(world.aws.calls.find(({ action }) => action === 'FilterLogEvents')?.parameters).toMatchObject({
      logGroupName: '/aws/rds/instance/mydb/iam-db-auth-error',
    });
  });

  test('the log is not exported', async () => {
    await using world = await startWorld(rdsLike(), {
      rds: {
        DescribeDBInstances: instance({
          IAMDatabaseAuthenticationEnabled: true,
          EnabledCloudwatchLogsExports: undefined,
        }),
      },
    });
    world.emulator.setFaults({ throttle: { connectionsPerSecond: 0, action: 'deny' } });
    const seen = await world.examine();
    // The policy is in force and nothing else is wrong, so this is the only cause left.
    expect(mostLikely(seen)).toEqual({ exitCode: 1, diagnosis: 'throttled' });
    expect(seen.step('log')).toMatchObject({ outcome: 'not-checked' });
    expect(seen.step('log').causes[0]?.fix[0]?.['shell']).toContain(
      'aws rds modify-db-instance --db-instance-identifier mydb',
    );
    expect(world.aws.actions).not.toContain('logs:FilterLogEvents');
  });

  test('throttling that says so, as RDS Proxy does', async () => {
    await using world = await startWorld(rdsLike());
    world.emulator.setFaults({ throttle: { connectionsPerSecond: 0, action: 'deny', wording: 'rds-proxy' } });
    expect(mostLikely(await world.examine())).toEqual({ exitCode: 1, diagnosis: 'throttled' });
  });
});

describe('if AWS does not answer properly', () => {
  const everywhere = (answer: ReturnType<typeof denied>) => ({
    sts: { GetCallerIdentity: answer },
    rds: { DescribeDBInstances: answer },
    iam: { SimulatePrincipalPolicy: answer },
    logs: { FilterLogEvents: answer },
  });
  const ASKED = ['identity', 'database', 'policy', 'log'];
  const refusing = () => ({ throttle: { connectionsPerSecond: 0, action: 'deny' } }) as const;

  // Enough time for the SDK to retry, if it does.
  const ANSWERS = [
    ['denied', denied(), 'may not', '20'],
    ['throttled', throttled(), 'too many requests', '20'],
    ['malformed', malformed(), 'did not come from AWS', '20'],
    ['slow', silence(), 'in 1.5 seconds', '1.5'],
  ] as const;

  test.each(ANSWERS)(
    '%s everywhere: nothing counts as passed, and the rest goes on',
    async (_, answer, said, timeout) => {
      await using world = await startWorld(rdsLike(), everywhere(answer));
      world.emulator.setFaults(refusing());
      const seen = await world.examine({ flags: ['--timeout', timeout] });
      for (const step of ASKED) expect(seen.step(step).outcome).toBe('not-checked');
      for (const step of ['identity', 'database', 'log']) expect(seen.step(step).seen).toContain(said);
      expect(outcomes(seen)).toMatchObject({ credentials: 'passed', tls: 'passed', login: 'failed' });
      // What could not be checked is still possible.
      expect(seen.step('login').causes.map(({ diagnosis }) => diagnosis)).toEqual(['missing-policy', 'throttled']);
      expect(seen.exitCode).toBe(1);
    },
  );

  test.each(ANSWERS)('%s, for the policy simulation', async (_, answer, said, timeout) => {
    await using world = await startWorld(rdsLike(), { iam: { SimulatePrincipalPolicy: answer } });
    const seen = await world.examine({ flags: ['--timeout', timeout] });
    expect(seen.step('policy')).toMatchObject({ outcome: 'not-checked', seen: expect.stringContaining(said) });
    expect(outcomes(seen)).toMatchObject({ database: 'passed', login: 'passed' });
    expect(seen.exitCode).toBe(0);
  });

  test('out of reach: a successful login needs none of it', async () => {
    await using world = await startWorld(rdsLike());
    const seen = await world.examine({
      variables: {
        AWS_ENDPOINT_URL: UNREACHABLE,
        AWS_ENDPOINT_URL_RDS: UNREACHABLE,
        AWS_ENDPOINT_URL_STS: UNREACHABLE,
        AWS_ENDPOINT_URL_IAM: UNREACHABLE,
        AWS_ENDPOINT_URL_CLOUDWATCH_LOGS: UNREACHABLE,
      },
    });
    expect(seen.exitCode).toBe(0);
    expect(outcomes(seen)).toMatchObject({
      ...{ identity: 'not-checked', clock: 'not-checked', database: 'not-checked', policy: 'not-checked' },
      ...{ login: 'passed', account: 'passed' },
    });
    expect(seen.step('identity').seen).toContain('AWS cannot be reached for sts:GetCallerIdentity');
    expect(world.aws.calls).toEqual([]);
  });
});
