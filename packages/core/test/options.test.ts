import { rootCertificates } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { createRdsIam } from '../src/index.js';

const pem = rootCertificates[0] as string;

describe('a wrong option is refused by name, with the kind of its value and the fix', () => {
  test.each<[string, unknown, RegExp]>([
    ['options that are not an object', 'eu-west-1', /must be an object.*got a string/],
    ['an unknown option', { regoin: 'eu-west-1' }, /unknown IAM option "regoin".*region/],
    ['enabled', { enabled: 'yes' }, /"enabled" must be true or false, got a string/],
    ['region', { region: 'Ireland' }, /"region" must be the name of an AWS region, such as eu-west-1, got a string/],
    ['region', { region: '' }, /"region".*got an empty string/],
    ['credentials', { credentials: 'AKIA' }, /"credentials" must be .*@aws-sdk\/credential-providers, got a string/],
    ['credentials', { credentials: { accessKeyId: 'AKIA' } }, /"credentials" must be .*got an object/],
    ['profile', { profile: 7 }, /"profile" must be .*got the number 7/],
    [
      'profile',
      { profile: 'p', credentials: async () => ({}) },
      /"profile" cannot be combined with "credentials": give the one/,
    ],
    [
      'refreshBeforeExpiryMs',
      { refreshBeforeExpiryMs: -1 },
      /"refreshBeforeExpiryMs" must be a whole number from 0 to 840000, got the number -1/,
    ],
    [
      'clockOffsetMs',
      { clockOffsetMs: 90_000_000 },
      /"clockOffsetMs" must be a whole number from -86400000 to 86400000/,
    ],
    ['refreshBeforeExpiryMs', { refreshBeforeExpiryMs: Number.NaN }, /"refreshBeforeExpiryMs".*NaN/],
    [
      'ca',
      { ca: '/etc/ssl/rds.pem' },
      /"ca" must hold CA certificates in PEM \(the text of the file, not its path\), got a string/,
    ],
    ['ca', { ca: [] }, /"ca" is an empty array/],
    ['ca', { ca: [pem, 1] }, /"ca" must hold/],
    ['resolveCname', { resolveCname: null }, /"resolveCname" must be true or false, got null/],
    ['retry', { retry: true }, /"retry" must be an object or false, got true/],
    ['retry', { retry: { attempts: 3 } }, /unknown retry option "attempts".*timeoutMs/],
    [
      'retry.timeoutMs',
      { retry: { timeoutMs: 0 } },
      /"retry.timeoutMs" must be a whole number from 1 to 600000, got the number 0/,
    ],
    ['retry.patienceMs', { retry: { patienceMs: 1.5 } }, /"retry.patienceMs" must be a whole number/],
  ])('%s: %j', (_, options, message) => {
    expect(() => createRdsIam(options as object)).toThrow(
      expect.objectContaining({
        name: 'RdsIamError',
        code: 'ERR_RDS_IAM_CONFIG',
        message: expect.stringMatching(message),
      }),
    );
  });

  test('a wrong value is never printed: it could be a secret', () => {
    expect(() => createRdsIam({ credentials: 'AKIDTHISISSECRET' as never })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('THISISSECRET') }),
    );
  });
});

test('every option is accepted at its limits', () => {
  const iam = createRdsIam({
    enabled: false,
    region: 'us-gov-west-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    refreshBeforeExpiryMs: 840_000,
    clockOffsetMs: -600_000,
    ca: [pem, Buffer.from(pem)],
    resolveCname: false,
    retry: { timeoutMs: 1, attemptTimeoutMs: 600_000, baseDelayMs: 0, maxDelayMs: 60_000, patienceMs: 0 },
  });
  expect(iam.enabled).toBe(false);
  expect(createRdsIam().enabled).toBe(true);
});

describe('a wrong endpoint is refused by name', () => {
  const iam = createRdsIam({ region: 'eu-west-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
  test.each<[string, object, RegExp]>([
    ['no hostname', { hostname: undefined }, /"hostname" is missing \(got nothing\).*RDS endpoint/],
    ['an empty hostname', { hostname: '' }, /"hostname" is missing \(got an empty string\)/],
    ['a URL', { hostname: 'postgres://db' }, /"hostname" has characters/],
    ['a Unix socket', { hostname: '/var/run' }, /Unix socket/],
    ['port 0', { port: 0 }, /"port" must be a whole number from 1 to 65535, got the number 0/],
    ['port 65536', { port: 65_536 }, /"port".*65536/],
    ['a port as text', { port: '5432' }, /"port".*got a string/],
    ['no user', { username: '' }, /"username" is missing/],
  ])('%s', async (_, wrong, message) => {
    const endpoint = { hostname: 'db', port: 5432, username: 'app', ...wrong };
    const error = { code: 'ERR_RDS_IAM_CONFIG', message: expect.stringMatching(message) };
    await expect(iam.getToken(endpoint)).rejects.toMatchObject(error);
    await expect(iam.connect(endpoint, async () => 1)).rejects.toMatchObject(error);
  });
});
