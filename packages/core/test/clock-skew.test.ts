import { expectNoSecrets, setAwsEnvironment, startSts } from '@rds-iam/test-servers';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { awsClockSkewMs } from '../src/clock.js';
import { createRdsIam } from '../src/index.js';

const MINUTE = 60_000;
const endpoint = { hostname: 'db.abc.eu-west-1.rds.amazonaws.com', port: 5432, username: 'app' };
const credentials = { accessKeyId: 'AKIACLOCK', secretAccessKey: 'a+secret/that0is+FORTY/characters+long00' };

let restoreEnvironment: () => void;

beforeEach(() => {
  restoreEnvironment = setAwsEnvironment();
});

afterEach(() => restoreEnvironment());

/** A stand-in for STS that the environment names, with nothing to give but the time. */
async function clockOfAws(dateOffsetMs = 0) {
  const sts = await startSts(() => ({ status: 403, code: 'AccessDenied', message: 'only the time is given here' }));
  onTestFinished(() => sts.close());
  sts.dateOffsetMs = dateOffsetMs;
  process.env['AWS_ENDPOINT_URL_STS'] = sts.url;
  return sts;
}

describe("the difference of AWS's clock and ours", () => {
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

  test('is asked for with one unsigned request that has no body', async () => {
    const sts = await clockOfAws();
    await awsClockSkewMs('eu-west-1', 5_000);
    expect(sts.requests).toMatchObject([{ method: 'HEAD', path: '/', body: '' }]);
    expect(sts.requests[0]?.headers).not.toHaveProperty('authorization');
  });

  test('is asked of the endpoint for all services where STS has none of its own', async () => {
    const sts = await clockOfAws(10 * MINUTE);
    for (const ofSts of [undefined, '']) {
      restoreEnvironment();
      restoreEnvironment = setAwsEnvironment({ AWS_ENDPOINT_URL: sts.url, AWS_ENDPOINT_URL_STS: ofSts });
      expect(await awsClockSkewMs('eu-west-1', 5_000)).toBeGreaterThan(9 * MINUTE);
    }
  });

  test('stays unknown when AWS does not answer, after the time that was given and no more', async () => {
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
  async function refusal() {
    const tokens: string[] = [];
    const connecting = createRdsIam({ credentials, retry: false }).connect(endpoint, async ({ token }) => {
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
  ])('says first that the clock is wrong when it is %d ms off', async (offsetMs, words) => {
    await clockOfAws(offsetMs);
    expect((await refusal()).message).toMatch(new RegExp(`1\\. this machine's ${words}`));
  });

  test('does not blame a clock that is right, nor one that nobody knows', async () => {
    const sts = await clockOfAws();
    expect((await refusal()).message).not.toMatch(/minutes (?:behind|ahead)/);
    await sts.close();
    expect((await refusal()).message).not.toMatch(/minutes (?:behind|ahead)/);
  });
});
