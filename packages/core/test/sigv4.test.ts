import { Signer } from '@aws-sdk/rds-signer';
import { setAwsEnvironment } from '@rds-iam/test-servers';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
// The emulator's check of a token, an independent implementation, which it does not export.
import { checkToken } from '../../emulator/src/token.js';
import { sign } from '../src/signing.js';
import { signToken, type TokenRequest } from '../src/sigv4.js';

const KEY = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'a+secret/that0is+FORTY/characters+long00' };

let restoreEnvironment: () => void;
beforeEach(() => {
  restoreEnvironment = setAwsEnvironment();
});
afterEach(() => {
  restoreEnvironment();
  vi.useRealTimers();
});

const label = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/);
const region = fc.constantFrom(
  ...['eu-west-1', 'ap-southeast-5', 'cn-north-1', 'us-gov-west-1', 'us-isob-east-1', 'eusc-de-east-1'],
);
const suffix = fc.constantFrom('rds.amazonaws.com', 'rds.amazonaws.com.cn', 'rds.sc2s.sgov.gov', 'rds.amazonaws.eu');
const hostname = fc.oneof(
  fc.tuple(label, label, region, suffix).map((labels) => labels.join('.')),
  fc.domain(),
  fc.ipV4(),
  fc.ipV6(),
  fc.constantFrom('localhost', 'DB.ABC123.EU-WEST-1.RDS.AMAZONAWS.COM', 'fe80::1%eth0', 'under_score.local'),
);
/** Any character; those that could cause trouble in a URL or a signature come more often. */
const text = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 80 }),
  fc.string({
    unit: fc.constantFrom(...` !"#$%&'()*+,-./:;<=>?@[\\]^_\`{|}~\t\n\0aZ0é日😀`),
    minLength: 1,
    maxLength: 40,
  }),
);
const sessionToken = fc.oneof(
  fc.base64String({ minLength: 4, maxLength: 1_600 }),
  text,
  fc.constantFrom('', undefined),
);
const requests: fc.Arbitrary<TokenRequest> = fc.record({
  hostname,
  port: fc.integer({ min: 1, max: 65_535 }),
  username: text,
  region,
  credentials: fc
    .tuple(fc.oneof(fc.stringMatching(/^[A-Z0-9]{16,24}$/), text), fc.oneof(fc.base64String(), text), sessionToken)
    .map(([accessKeyId, secretAccessKey, session]) => ({
      accessKeyId,
      secretAccessKey: secretAccessKey || 'a',
      ...(session !== undefined && { sessionToken: session }),
    })),
  signingDate: fc.date({
    min: new Date('1970-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  }),
});

describe('a token', () => {
  test("is identical to that of AWS's own signer, byte for byte", { timeout: 120_000 }, async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        vi.setSystemTime(request.signingDate);
        const { signingDate: _, ...config } = request;
        expect(signToken(request)).toBe(await new Signer(config).getAuthToken());
      }),
      { numRuns: 5_000 },
    );
  });

  test("is valid according to the emulator's check, while it lasts and at no other time", { timeout: 120_000 }, () => {
    const good = requests.filter(
      ({ credentials: { accessKeyId }, hostname: host }) => !accessKeyId.includes('/') && !/[/?#]/.test(host),
    );
    fc.assert(
      fc.property(good, (request) => {
        const { credentials, username, port, region: of, hostname: host, signingDate } = request;
        const { sessionToken: session, ...key } = credentials;
        const accessKeys = new Map([[key.accessKeyId, session ? { ...key, sessionToken: session } : key]]);
        const expected = { username, hostnames: [host], port, region: of, accessKeys, nowMs: signingDate.getTime() };
        const token = signToken(request);
        expect(checkToken(token, expected)).toBeUndefined();
        expect(checkToken(token, { ...expected, nowMs: expected.nowMs + 901_000 })).toBe('expired');
        expect(checkToken(token, { ...expected, port: (port % 65_535) + 1 })).toBe('wrong-port');
      }),
      { numRuns: 5_000 },
    );
  });

  test('for a name that is not a string is an error that does not show it', async () => {
    const request = { hostname: 'db.abc.eu-west-1.rds.amazonaws.com', port: 5432, username: 'app\ud800' };
    await expect(sign({ ...request, region: 'eu-west-1', profile: undefined, credentials: KEY })).rejects.toMatchObject(
      { code: 'ERR_RDS_IAM_SIGNING', cause: expect.any(URIError) },
    );
  });
});
