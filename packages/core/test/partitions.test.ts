import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { RDSClient } from '@aws-sdk/client-rds';
import { STSClient } from '@aws-sdk/client-sts';
import { describe, expect, test } from 'vitest';
import { stsUrl } from '../src/aws-clock.js';
import { bundleUrl, PUBLIC_PARTITIONS } from '../src/ca-bundles.js';
import { diagnose } from '../src/diagnosis.js';
import { isRdsProxy, isRegion, parseRdsHostname, partitionOf } from '../src/endpoint.js';
import { postgres } from '../src/engines/postgres.js';

interface Partition {
  readonly id: string;
  readonly outputs: { readonly dnsSuffix: string; readonly dualStackDnsSuffix: string };
  readonly regions: Readonly<Record<string, unknown>>;
}

/** AWS's endpoint data from its SDK, which only exports functions over it, and no list. */
function partitionsOfAwsSdk(): readonly Partition[] {
  const fromSigner = createRequire(createRequire(import.meta.url).resolve('@aws-sdk/rds-signer'));
  const source = readFileSync(fromSigner.resolve('@aws-sdk/core/client'), 'utf8');
  const [, data = ''] = /const partitionsInfo = (\{[\s\S]*?\n\});/.exec(source) ?? [];
  return (JSON.parse(data) as { partitions: readonly Partition[] }).partitions;
}

const regions = partitionsOfAwsSdk().flatMap(({ id, outputs, regions: named }) =>
  Object.keys(named)
    .filter((region) => !region.endsWith('-global'))
    .map((region) => ({ region, partition: id, ...outputs })),
);
const HOST_OF_BUNDLES: Readonly<Record<string, string>> = {
  aws: 'truststore.pki.rds.amazonaws.com',
  'aws-us-gov': 'truststore.pki.us-gov-west-1.rds.amazonaws.com',
  'aws-cn': 'rds-truststore.s3.cn-north-1.amazonaws.com.cn',
};

test('all partitions are covered, and future ones are recognized by the same shapes', () => {
  expect([...new Set(regions.map(({ partition }) => partition))].sort()).toEqual(
    ['aws', 'aws-cn', 'aws-eusc', 'aws-iso', 'aws-iso-b', 'aws-iso-e', 'aws-iso-f', 'aws-us-gov'].sort(),
  );
  expect(regions.length).toBeGreaterThan(40);
  expect(Object.keys(HOST_OF_BUNDLES).sort()).toEqual([...PUBLIC_PARTITIONS].sort());
});

describe.each(regions)('$region of $partition', ({ region, partition, dnsSuffix, dualStackDnsSuffix }) => {
  const found = { region, partition };
  const suffixes = [dnsSuffix, dualStackDnsSuffix];

  test.each([
    ['an instance', 'mydb.abc123def456'],
    ['a cluster', 'mydb.cluster-abc123def456'],
    ["a cluster's reader", 'mydb.cluster-ro-abc123def456'],
    ['a custom endpoint', 'mine.cluster-custom-abc123def456'],
    ['a proxy', 'mydb.proxy-abc123def456'],
    ["a proxy's endpoint", 'mine.endpoint.proxy-abc123def456'],
  ])('is the region in the name of %s, also with dual stack', (what, name) => {
    for (const suffix of suffixes) {
      // Also the form in China.
      for (const hostname of [`${name}.${region}.rds.${suffix}`, `${name}.rds.${region}.${suffix}`]) {
        expect(parseRdsHostname(hostname), hostname).toEqual(found);
        expect(isRdsProxy(hostname), hostname).toBe(what.includes('proxy'));
      }
    }
  });

  test('is not found in the name of a global cluster or of a service', () => {
    for (const suffix of suffixes) {
      for (const hostname of [`mydb.global-abc123.global.rds.${suffix}`, `rds.${region}.${suffix}`]) {
        expect(parseRdsHostname(hostname), hostname).toBeUndefined();
      }
    }
  });

  test("is a region whose partition is in a policy's ARN", () => {
    expect(isRegion(region)).toBe(true);
    expect(partitionOf(region)).toBe(partition);
    const hostname = `mydb.abc123def456.${region}.rds.${dnsSuffix}`;
    const failure = { code: 'ERR_RDS_IAM_REFUSED', retry: 'few-times', kind: 'token-refused', evidence: '' } as const;
    const { message } = diagnose(
      { ...failure, attempts: 1, elapsedMs: 0 },
      { endpoint: { hostname, port: 5432, username: 'app' }, engine: postgres, dialed: hostname, phase: 'login' },
      undefined,
    );
    expect(message).toContain(`rds-db:connect on arn:${partition}:rds-db:${region}:ACCOUNT:dbuser:RESOURCE-ID/app`);
  });

  test("has its services where the AWS SDK's clients find them", async () => {
    const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'a' };
    const at = { Region: region, UseDualStack: false, UseFIPS: false };
    const sts = new STSClient({ region, credentials }).config.endpointProvider({ ...at, UseGlobalEndpoint: false });
    expect(sts.url.hostname).toBe(new URL(stsUrl(region)).hostname);
    const rds = new RDSClient({ region, credentials }).config.endpointProvider(at);
    expect(rds.url.hostname).toBe(`rds.${region}.${dnsSuffix}`);
    expect(parseRdsHostname(rds.url.hostname)).toBeUndefined();
  });

  test("has its bundle of authorities at its partition's address, or at no public one", () => {
    const host = HOST_OF_BUNDLES[partition];
    expect(bundleUrl(region)).toBe(host && `https://${host}/${region}/${region}-bundle.pem`);
    expect(bundleUrl(partition)).toBe(host && `https://${host}/global/global-bundle.pem`);
  });
});
