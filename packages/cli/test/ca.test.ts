import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { rdsRoots } from '@rds-iam/core';
import { createCertificateAuthority } from '@rds-iam/emulator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { differenceTo } from '../src/ca.js';
import { rdsIam } from './command-line.js';

const nameOf = (pem: string) => /^CN=(.+)$/m.exec(new X509Certificate(pem).subject)?.[1] ?? '';
const IRELAND = (await rdsRoots()).filter((pem) => nameOf(pem).startsWith('Amazon RDS eu-west-1 '));

const scratch = mkdtempSync(join(tmpdir(), 'rds-iam-ca-'));
const trusted = join(scratch, 'https-ca.pem');
const BUNDLE = '/truststore.pki.rds.amazonaws.com/eu-west-1/eu-west-1-bundle.pem';
/** The responses of the stand-in for AWS, by path; 404 for others. */
const answers = new Map<string, string>();
let mirror: string;
let close: () => Promise<void>;
beforeAll(async () => {
  const authority = await createCertificateAuthority();
  writeFileSync(trusted, authority.ca);
  const server = createServer(await authority.issue({ hostnames: ['localhost'] }), (request, response) => {
    const answer = answers.get(request.url ?? '');
    response.writeHead(answer === undefined ? 404 : 200).end(answer);
  }).listen(0, 'localhost');
  await once(server, 'listening');
  mirror = `https://localhost:${(server.address() as AddressInfo).port}`;
  close = async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
});
afterAll(async () => {
  await close();
  rmSync(scratch, { recursive: true });
});

const ca = (args: readonly string[], more: Readonly<Record<string, string | undefined>> = {}) =>
  rdsIam(['ca', ...args], {
    RDS_IAM_CA_MIRROR: mirror,
    NODE_EXTRA_CA_CERTS: trusted,
    ...more,
  });

describe('ca', () => {
  test("writes a region's authorities, and says what they are and when they expire", async () => {
    answers.set(BUNDLE, IRELAND.join('\n'));
    const output = join(scratch, 'ireland.pem');
    writeFileSync(output, 'an older one');
    const { exitCode, stdout, stderr } = await ca(['--region', 'eu-west-1', '--output', output]);
    expect(stderr).toBe(`rds-iam: downloading https:/${BUNDLE}\n`);
    expect(stdout).toContain('Amazon RDS eu-west-1 Root CA RSA2048 G1, until 2061-');
    expect(stdout).toContain('all of these are among the roots built into rds-iam');
    expect(exitCode).toBe(0);
    // OpenSSL accepts it, and no temporary file is left.
    createSecureContext({ ca: readFileSync(output, 'utf8') });
    expect(readFileSync(output, 'utf8').match(/BEGIN/g)).toHaveLength(IRELAND.length);
    expect(readdirSync(scratch).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('without --output, the certificates are on stdout and nothing else', async () => {
    answers.set(BUNDLE, IRELAND.join('\n'));
    const { stdout, stderr } = await ca([], { AWS_REGION: 'eu-west-1' });
    expect(stdout.replace(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n/g, '')).toBe('');
    expect(stderr).toContain('Amazon RDS eu-west-1 Root CA RSA2048 G1, until 2061-');
  });

  test('--all --json: the authorities of all partitions, and the difference to ours', async () => {
    answers.clear();
    for (const host of [
      'truststore.pki.rds.amazonaws.com',
      'truststore.pki.us-gov-west-1.rds.amazonaws.com',
      'rds-truststore.s3.cn-north-1.amazonaws.com.cn',
    ]) {
      answers.set(`/${host}/global/global-bundle.pem`, IRELAND[answers.size] ?? '');
    }
    const { stdout } = await ca(['--all', '--json']);
    const found = JSON.parse(stdout);
    expect(found.authorities).toEqual(
      IRELAND.slice(0, 3).map((pem) => ({
        name: nameOf(pem),
        expiration: expect.stringMatching(/^2\d{3}-/),
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      })),
    );
    expect(found.added).toEqual([]);
    expect(found.missing).toContain('Amazon RDS us-east-1 Root CA RSA2048 G1');
    expect(found.missing).not.toContain('Amazon Root CA 1');
    expect(found.pem).toContain('BEGIN CERTIFICATE');
  });

  test.each([
    ['a server with a certificate from another CA', {}, { NODE_EXTRA_CA_CERTS: undefined }, 'unable to verify'],
    [
      'the same with verification turned off in the environment',
      {},
      { NODE_EXTRA_CA_CERTS: undefined, NODE_TLS_REJECT_UNAUTHORIZED: '0' },
      'unable to verify',
    ],
    ['no such bundle', {}, {}, 'the answer is 404'],
    ['plain HTTP', {}, { RDS_IAM_CA_MIRROR: 'http://localhost:9' }, 'is not an HTTPS address'],
    ["a captive portal's page", { answer: '<html>log in</html>' }, {}, 'it contains no certificates'],
  ])('%s: nothing is written', async (_, { answer }: { readonly answer?: string }, variables, message) => {
    answers.clear();
    if (answer !== undefined) answers.set(BUNDLE, answer);
    const output = join(scratch, 'never.pem');
    const { exitCode, stderr } = await ca(['--region', 'eu-west-1', '--output', output], variables);
    expect(stderr).toContain(message);
    expect(exitCode).toBeGreaterThan(0);
    expect(existsSync(output)).toBe(false);
  });

  test('a bundle without an authority for the region: nothing is written', async () => {
    answers.set(BUNDLE.replaceAll('eu-west-1', 'eu-west-2'), IRELAND.join(''));
    const { exitCode, stdout, stderr } = await ca(['--region', 'eu-west-2']);
    expect(stderr).toContain('has no certificate authority for eu-west-2');
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  });

  test.each([
    [[], 'the region is missing: give --region, or --all'],
    [['--region', 'Ireland'], '--region must be the name of an AWS region'],
    [['--region', 'us-iso-east-1'], 'AWS publishes no bundle for us-iso-east-1'],
    [['--region', 'eu-west-1', '--all'], "'--all' cannot be used with option '--region"],
  ])('%j: code 2, and what to do', async (args, message) => {
    const { exitCode, stderr } = await ca(args, { RDS_IAM_CA_MIRROR: undefined });
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });
});

test('the difference to the built-in roots', async () => {
  const roots = await rdsRoots();
  const ireland = IRELAND.map((pem) => ({ pem, name: nameOf(pem) }));
  expect(differenceTo(roots, ireland, 'eu-west-1')).toEqual({ added: [], missing: [] });
  const others = roots.filter((pem) => !IRELAND.includes(pem));
  expect(differenceTo(others, ireland, 'eu-west-1')).toEqual({ added: IRELAND.map(nameOf), missing: [] });
  expect(differenceTo(roots, ireland.slice(1), 'eu-west-1').missing).toEqual([nameOf(IRELAND[0] ?? '')]);
});
