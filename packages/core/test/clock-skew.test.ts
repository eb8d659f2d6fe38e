import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Signer } from '@aws-sdk/rds-signer';
import { expectNoSecrets, setAwsEnvironment, startSts } from '@rds-iam/test-servers';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { awsClockSkewMs } from '../src/aws-clock.js';
import { createRdsIam, type RdsIamOptions } from '../src/index.js';
import { sign } from '../src/signing.js';
import { tokenExpiry } from '../src/tokens.js';

const MINUTE = 60_000;
const endpoint = { hostname: 'db.abc.eu-west-1.rds.amazonaws.com', port: 5432, username: 'app' };
const credentials = { accessKeyId: 'AKIACLOCK', secretAccessKey: 'a+secret/that0is+FORTY/characters+long00' };

let restoreEnvironment: () => void;

beforeEach(() => {
  restoreEnvironment = setAwsEnvironment();
});

afterEach(() => restoreEnvironment());

/** A stand-in for STS, named in the environment, that returns nothing except the time. */
async function clockOfAws(dateOffsetMs = 0) {
  const sts = await startSts(() => ({ status: 403, code: 'AccessDenied', message: 'only the time is given here' }));
  onTestFinished(() => sts.close());
  sts.dateOffsetMs = dateOffsetMs;
  process.env['AWS_ENDPOINT_URL_STS'] = sts.url;
  return sts;
}

describe("the difference between AWS's clock and ours", () => {
  test.each([
    ['10 minutes ahead', 10 * MINUTE],
    ['10 minutes behind', -10 * MINUTE],
    ['the same', 0],
  ])('is known to the second when it is %s', async (_, offsetMs) => {
    await clockOfAws(offsetMs);
    const skewMs = await awsClockSkewMs('eu-west-1', 5_000);
    expect(skewMs).toBeGreaterThan(offsetMs - 3_000);
    expect(skewMs).toBeLessThanOrEqual(offsetMs);
  });

  test('is found with one unsigned request without a body', async () => {
    const sts = await clockOfAws();
    await awsClockSkewMs('eu-west-1', 5_000);
    expect(sts.requests).toMatchObject([{ method: 'HEAD', path: '/', body: '' }]);
    expect(sts.requests[0]?.headers).not.toHaveProperty('authorization');
  });

  test('is requested from the endpoint for all services if STS has none of its own', async () => {
    const sts = await clockOfAws(10 * MINUTE);
    for (const ofSts of [undefined, '']) {
      restoreEnvironment();
      restoreEnvironment = setAwsEnvironment({ AWS_ENDPOINT_URL: sts.url, AWS_ENDPOINT_URL_STS: ofSts });
      expect(await awsClockSkewMs('eu-west-1', 5_000)).toBeGreaterThan(9 * MINUTE);
    }
  });

  test('stays unknown when AWS does not answer within the time limit', async () => {
    const sts = await clockOfAws();
    sts.delayMs = Number.POSITIVE_INFINITY;
    const startedAt = performance.now();
    expect(await awsClockSkewMs('eu-west-1', 100)).toBeUndefined();
    const tookMs = performance.now() - startedAt;
    expect(tookMs).toBeGreaterThanOrEqual(95);
    expect(tookMs).toBeLessThan(1_500);
  });

  test('stays unknown when AWS cannot be reached', async () => {
    const sts = await clockOfAws();
    await sts.close();
    expect(await awsClockSkewMs('eu-west-1', 5_000)).toBeUndefined();
  });

  test.each(['http://', 'not a url', 'ftp://127.0.0.1'])('stays unknown when its endpoint is %j', async (url) => {
    process.env['AWS_ENDPOINT_URL_STS'] = url;
    expect(await awsClockSkewMs('eu-west-1', 5_000)).toBeUndefined();
  });
});

describe('a login that is refused', () => {
  async function refusal(options: RdsIamOptions = {}) {
    const tokens: string[] = [];
    const connecting = createRdsIam({ credentials, retry: false, ...options }).connect(endpoint, async ({ token }) => {
      tokens.push(token);
      throw Object.assign(new Error('PAM authentication failed for user "app"'), { code: '28000' });
    });
    const error: Error = await connecting.then(
      () => expect.unreachable('logged in'),
      (caught) => caught,
    );
    expectNoSecrets(error, [...tokens, credentials.secretAccessKey]);
    return error;
  }

  test.each([
    [10 * MINUTE, "clock is 10 minutes behind AWS's"],
    [-10 * MINUTE, "clock is 10 minutes ahead of AWS's"],
  ])('starts with the wrong clock when that is %d ms off, and says how to correct it', async (offsetMs, words) => {
    await clockOfAws(offsetMs);
    const { message } = await refusal();
    expect(message).toMatch(new RegExp(`1\\. this machine's ${words}`));
    const [, suggested] = /give (-?\d+) as "clockOffsetMs"/.exec(message) ?? [];
    expect(Number(suggested) - offsetMs).toBeGreaterThan(-3_000);
    expect(Number(suggested) - offsetMs).toBeLessThanOrEqual(0);
  });

  test('does not blame a corrected clock, but does blame a wrong correction', async () => {
    await clockOfAws(10 * MINUTE);
    expect((await refusal({ clockOffsetMs: 10 * MINUTE })).message).not.toMatch(/minutes (?:behind|ahead)/);
    const { message } = await refusal({ clockOffsetMs: -10 * MINUTE });
    expect(message).toMatch(/1\. this machine's clock, corrected by "clockOffsetMs", is 20 minutes behind AWS's/);
    expect(Number(/give (-?\d+) as "clockOffsetMs"/.exec(message)?.[1])).toBeGreaterThan(10 * MINUTE - 3_000);
  });

  test('does not blame a clock that is right, nor one whose error is unknown', async () => {
    const sts = await clockOfAws();
    expect((await refusal()).message).not.toMatch(/minutes (?:behind|ahead)/);
    await sts.close();
    expect((await refusal()).message).not.toMatch(/minutes (?:behind|ahead)/);
  });
});

describe('a clock corrected with "clockOffsetMs"', () => {
  afterEach(() => void vi.useRealTimers());

  test.each([10 * MINUTE, -10 * MINUTE, -1_500])('by %d ms signs tokens as of the corrected time', async (ms) => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-01-01T00:00:00Z') });
    const { token, expiration } = await createRdsIam({ credentials, clockOffsetMs: ms }).getToken(endpoint);
    expect(expiration.getTime()).toBe(Math.floor((Date.now() + ms) / 1_000) * 1_000 + 15 * MINUTE);
    expect(expiration.getTime()).toBe(tokenExpiry(token));
  });

  test.each([
    ['the host name contains the region', 'eu-west-1'],
    ['the SDK finds it in the profile', undefined],
  ])("signs what the AWS SDK's signer would with the right clock, if %s", async (_, region) => {
    const folder = await mkdtemp(join(tmpdir(), 'rds-iam-aws-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'config'), '[profile app]\nregion = eu-west-1\n');
    process.env['AWS_CONFIG_FILE'] = join(folder, 'config');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-01-01T00:00:00Z') });
    const request = {
      hostname: endpoint.hostname,
      port: 5432,
      username: "o'brien+app ü~*",
      credentials: { ...credentials, sessionToken: 'IQoJb3JpZ2lu/+='.repeat(30) },
    };
    const right = await new Signer({ ...request, region: 'eu-west-1' }).getAuthToken();
    vi.setSystemTime(Date.now() - 10 * MINUTE);
    const signingDate = new Date(Date.now() + 10 * MINUTE);
    expect(await sign({ ...request, region, profile: 'app', signingDate })).toBe(right);
  });

  test('is used to check whether a token and credentials are still good', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-01-01T00:00:00Z') });
    let asked = 0;
    const provider = async () => {
      asked++;
      return { ...credentials, expiration: new Date(Date.now() + 10 * MINUTE + 60 * MINUTE) };
    };
    const iam = createRdsIam({ credentials: provider, clockOffsetMs: 10 * MINUTE });
    const first = await iam.getToken(endpoint);
    vi.setSystemTime(Date.now() + 15 * MINUTE - 2_000);
    expect(await iam.getToken(endpoint)).toBe(first);
    vi.setSystemTime(Date.now() + 2_000);
    expect(await iam.getToken(endpoint)).not.toBe(first);
    expect(asked).toBe(1);
    const ended = async () => ({ ...credentials, expiration: new Date(Date.now() + 9 * MINUTE) });
    await expect(
      createRdsIam({ credentials: ended, clockOffsetMs: 10 * MINUTE }).getToken(endpoint),
    ).rejects.toMatchObject({ code: 'ERR_RDS_IAM_CREDENTIALS', message: expect.stringContaining('"clockOffsetMs"') });
  });
});
