import resolver from 'node:dns/promises';
import { setAwsEnvironment, startDns } from '@rds-iam/test-servers';
import {
  type Aws,
  type AwsHandlers,
  denied,
  failure,
  malformed,
  result,
  silence,
  startAws,
  throttled,
  UNREACHABLE,
} from '@rds-iam/test-servers/aws';
import { cluster, instance, proxy } from '@rds-iam/test-servers/rds-answers';
import { afterEach, describe, expect, test } from 'vitest';
import { AwsError } from '../src/aws-call.js';
import { readEndpoint } from '../src/database/endpoint.js';
import { DatabaseLookup, type LookupOptions } from '../src/database/lookup.js';

const SUFFIX = 'abc123.eu-west-1.rds.amazonaws.com';
const INSTANCE = `mydb.${SUFFIX}`;

let putBack = () => {};
afterEach(() => putBack());

async function awsWith(handlers: AwsHandlers): Promise<Aws> {
  const aws = await startAws(handlers);
  putBack = setAwsEnvironment({ ...aws.variables, AWS_MAX_ATTEMPTS: '1' });
  return aws;
}

const find = async (hostname: string, options: LookupOptions = {}) =>
  (await DatabaseLookup.of({ hostname }, options)).find({ hostname });

test.each([
  [INSTANCE, 'instance', 'mydb'],
  [`MyDB.${SUFFIX}.`, 'instance', 'mydb'],
  [`shop.cluster-${SUFFIX}`, 'cluster', 'shop'],
  [`shop.cluster-ro-${SUFFIX}`, 'cluster', 'shop'],
  [`reports.cluster-custom-${SUFFIX}`, 'customEndpoint', 'reports'],
  [`pool.proxy-${SUFFIX}`, 'proxy', 'pool'],
  [`reader.endpoint.proxy-${SUFFIX}`, 'proxyEndpoint', 'reader'],
  ['mydb.abc123.rds.cn-north-1.amazonaws.com.cn', 'instance', 'mydb'],
])('%s belongs to %s', (hostname, kind, identifier) => {
  expect(readEndpoint(hostname)).toEqual({ kind, identifier });
});

test.each(['localhost', '127.0.0.1', 'db.example.org', 'shop.global-abc123.global.rds.amazonaws.com'])(
  '%s is none of an instance, cluster or proxy',
  (hostname) => {
    expect(readEndpoint(hostname)).toBeUndefined();
  },
);

describe('an endpoint leads to', () => {
  test('an instance', async () => {
    await using aws = await awsWith({
      rds: { DescribeDBInstances: instance({ IAMDatabaseAuthenticationEnabled: true }) },
    });
    expect(await find(INSTANCE)).toEqual({
      ...{ kind: 'instance', identifier: 'mydb', resourceId: 'db-ABCDEFGHIJKL', region: 'eu-west-1' },
      ...{ arn: 'arn:aws:rds:eu-west-1:123456789012:db:mydb', accountId: '123456789012', engine: 'postgres' },
      ...{ engineVersion: '16.4', status: 'available', iamEnabled: true, pendingIamEnabled: undefined },
      ...{ otherPending: [], maintenanceWindow: 'sun:04:00-sun:04:30', masterUsername: 'postgres' },
      ...{ logExports: ['iam-db-auth-error'], memberIdentifier: undefined },
    });
    expect(aws.calls[0]?.parameters).toEqual({ DBInstanceIdentifier: 'mydb' });
  });

  test.each([`shop.cluster-${SUFFIX}`, `shop.cluster-ro-${SUFFIX}`])('a cluster: %s', async (hostname) => {
    await using _ = await awsWith({ rds: { DescribeDBClusters: cluster() } });
    expect(await find(hostname)).toMatchObject({ kind: 'cluster', identifier: 'shop', resourceId: 'cluster-ABCDEFGH' });
  });

  test('a cluster, from the endpoint of one of its instances', async () => {
    await using aws = await awsWith({
      rds: { DescribeDBInstances: instance({ DBClusterIdentifier: 'shop' }), DescribeDBClusters: cluster() },
    });
    expect(await find(INSTANCE)).toMatchObject({
      ...{ kind: 'cluster', identifier: 'shop', resourceId: 'cluster-ABCDEFGH', memberIdentifier: 'mydb' },
    });
    expect(aws.actions).toEqual(['rds:DescribeDBInstances', 'rds:DescribeDBClusters']);
  });

  test('a cluster, from a custom endpoint', async () => {
    const endpoints = { DBClusterEndpoints: { DBClusterEndpointList: { DBClusterIdentifier: 'shop' } } };
    await using aws = await awsWith({
      rds: { DescribeDBClusterEndpoints: result(endpoints), DescribeDBClusters: cluster() },
    });
    expect(await find(`reports.cluster-custom-${SUFFIX}`)).toMatchObject({ kind: 'cluster', identifier: 'shop' });
    expect(aws.calls.map(({ parameters }) => parameters)).toEqual([
      { DBClusterEndpointIdentifier: 'reports' },
      { DBClusterIdentifier: 'shop' },
    ]);
  });

  test('a proxy, whose id is in its ARN, also from another of its endpoints', async () => {
    const endpoint = { DBProxyName: 'pool', Endpoint: `reader.endpoint.proxy-${SUFFIX}` };
    await using _ = await awsWith({
      rds: {
        DescribeDBProxies: proxy(),
        DescribeDBProxyEndpoints: result({ DBProxyEndpoints: { member: endpoint } }),
      },
    });
    const found = { kind: 'proxy', identifier: 'pool', resourceId: 'prx-0abc', accountId: '123456789012' };
    expect(await find(`pool.proxy-${SUFFIX}`)).toMatchObject(found);
    expect(await find(`reader.endpoint.proxy-${SUFFIX}`)).toMatchObject(found);
  });

  test('a CNAME is followed', async () => {
    await using dns = await startDns();
    dns.cname('db.example.org', INSTANCE);
    const before = resolver.getServers();
    resolver.setServers([dns.address]);
    try {
      await using _ = await awsWith({ rds: { DescribeDBInstances: instance() } });
      expect(await find('db.example.org')).toMatchObject({ identifier: 'mydb' });
    } finally {
      resolver.setServers(before);
    }
  });
});

test('pending changes', async () => {
  const PendingModifiedValues = { IAMDatabaseAuthenticationEnabled: true, EngineVersion: '17.1' };
  await using _ = await awsWith({ rds: { DescribeDBInstances: instance({ PendingModifiedValues }) } });
  expect(await find(INSTANCE)).toMatchObject({
    ...{ iamEnabled: false, pendingIamEnabled: true, otherPending: ['EngineVersion'] },
  });
});

describe('each failure says what to do', () => {
  test.each<[string, AwsHandlers['rds'], string, RegExp]>([
    ['denied', { DescribeDBInstances: denied() }, 'ERR_RDS_IAM_AWS_DENIED', /may not rds:DescribeDBInstances: allow/],
    ['throttled', { DescribeDBInstances: throttled() }, 'ERR_RDS_IAM_AWS_THROTTLED', /try again in a minute/],
    ['silence', { DescribeDBInstances: silence() }, 'ERR_RDS_IAM_AWS_TIMEOUT', /in 0\.2 seconds/],
    ["a captive portal's page", { DescribeDBInstances: malformed() }, 'ERR_RDS_IAM_AWS_MALFORMED', /proxy/],
    ['JSON', { DescribeDBInstances: malformed('{}') }, 'ERR_RDS_IAM_AWS_MALFORMED', /proxy/],
    ['other XML', { DescribeDBInstances: malformed('<a/>') }, 'ERR_RDS_IAM_AWS_MALFORMED', /proxy/],
    ['no body', { DescribeDBInstances: malformed('') }, 'ERR_RDS_IAM_AWS_MALFORMED', /proxy/],
    [
      'a database without an id',
      { DescribeDBInstances: result({ DBInstances: { DBInstance: {} } }) },
      'ERR_RDS_IAM_AWS_MALFORMED',
      /lacks/,
    ],
    [
      'no such instance',
      { DescribeDBInstances: failure(404, 'DBInstanceNotFound', 'DBInstance mydb not found.') },
      'ERR_RDS_IAM_FAILED',
      /no instance mydb in this account and region/,
    ],
    ['an empty list', { DescribeDBInstances: result({ DBInstances: '' }) }, 'ERR_RDS_IAM_FAILED', /no instance mydb/],
    [
      'more databases than requested',
      { DescribeDBInstances: result({ DBInstances: { DBInstance: [{}, {}] } }) },
      'ERR_RDS_IAM_FAILED',
      /2 databases for the instance mydb/,
    ],
    [
      'expired credentials',
      { DescribeDBInstances: failure(403, 'ExpiredToken', 'The security token is expired') },
      'ERR_RDS_IAM_CREDENTIALS',
      /aws sso login/,
    ],
    [
      'an internal error of AWS',
      { DescribeDBInstances: failure(500, 'InternalFailure', 'oh') },
      'ERR_RDS_IAM_AWS_REFUSED',
      /InternalFailure: oh/,
    ],
    [
      'a name that another account also has',
      { DescribeDBInstances: instance({ Endpoint: { Address: 'mydb.zzz999.eu-west-1.rds.amazonaws.com' } }) },
      'ERR_RDS_IAM_FAILED',
      /belongs to another account/,
    ],
    [
      'the cluster of an instance, denied',
      { DescribeDBInstances: instance({ DBClusterIdentifier: 'shop' }) },
      'ERR_RDS_IAM_AWS_DENIED',
      /may not rds:DescribeDBClusters/,
    ],
  ])('%s', async (_, rds, code, message) => {
    await using aws = await awsWith({ rds: rds ?? {} });
    const error = await find(INSTANCE, { timeoutMs: code.endsWith('TIMEOUT') ? 200 : 10_000 }).catch(
      (caught) => caught,
    );
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
    expect(aws.calls.length).toBeGreaterThan(0);
  });

  test('AWS out of reach', async () => {
    await using aws = await startAws();
    putBack = setAwsEnvironment({ ...aws.variables, AWS_ENDPOINT_URL_RDS: UNREACHABLE, AWS_MAX_ATTEMPTS: '1' });
    await expect(find(INSTANCE)).rejects.toThrow(/cannot be reached for rds:DescribeDBInstances .*ECONNREFUSED/);
  });

  test('no credentials', async () => {
    await using aws = await startAws();
    putBack = setAwsEnvironment({ ...aws.variables, AWS_ACCESS_KEY_ID: undefined, AWS_EC2_METADATA_DISABLED: 'true' });
    const error = await find(INSTANCE).catch((caught) => caught);
    expect(error).toBeInstanceOf(AwsError);
    expect(error).toMatchObject({ code: 'ERR_RDS_IAM_CREDENTIALS', exitCode: 3 });
  });

  test('a caller who aborts', async () => {
    await using _ = await awsWith({ rds: { DescribeDBInstances: silence() } });
    const gaveUp = new AbortController();
    const asked = find(INSTANCE, { signal: gaveUp.signal });
    gaveUp.abort(new Error('Ctrl-C'));
    await expect(asked).rejects.toThrow('Ctrl-C');
  });

  test.each<[string, LookupOptions, RegExp]>([
    ['127.0.0.1', {}, /is not an RDS endpoint/],
    [INSTANCE, { region: 'eu-west-2' }, /--region is eu-west-2, but .* is in eu-west-1/],
  ])('%s %j', async (hostname, options, message) => {
    await expect(find(hostname, options)).rejects.toThrow(message);
  });
});

test('no region', async () => {
  await using aws = await startAws();
  putBack = setAwsEnvironment({ ...aws.variables, AWS_REGION: undefined });
  await expect(DatabaseLookup.in({})).rejects.toThrow(/give --region, or set AWS_REGION/);
  await expect(DatabaseLookup.in({ region: 'Ireland' })).rejects.toThrow(/--region must be/);
});
