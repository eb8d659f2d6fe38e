import { count } from '@rds-iam/conformance';
import {
  type IssuedCredentials,
  setAwsEnvironment,
  startContainerCredentials,
  startInstanceMetadata,
} from '@rds-iam/test-servers';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { startClock } from '../src/clock.js';
import { type Driver, drivers } from '../src/drivers.js';
import { storm } from '../src/load.js';
import { startSite } from '../src/site.js';
import { printTolls, Toll } from '../src/toll.js';

afterAll(printTolls);

const SECOND = 1_000;
const MINUTE = 60_000;
const CONNECTIONS = 4;
const KEY = {
  accessKeyId: 'ASIAFIRST',
  secretAccessKey: 'the secret of ASIAFIRST',
  sessionToken: 'IQoJb3JpZ2lu/ASIAFIRST='.repeat(40),
};
const NEXT_KEY = { accessKeyId: 'AKIDNEXT', secretAccessKey: 'the secret of AKIDNEXT' };

describe.each(drivers)('the source of the credentials, with $name:', (driver) => {
  test('down for longer than a token lives, and less than the credentials do: nobody notices', async () => {
    const { clock, pool, source, site } = await withContainerCredentials(driver);
    const toll = await Toll.begin('credentials down for 16 minutes', driver.name);
    source.respond(() => 500);
    clock.forward(16 * MINUTE);
    const lost = await storm(pool, CONNECTIONS);
    await toll.recovered(lost.length);
    expect(lost).toEqual([]);
    expect(toll.cost).toMatchObject({ attempts: CONNECTIONS, connections: CONNECTIONS });
    expect(site.emulator.stats.distinctTokens, 'the token was a new one').toBe(2);
  });

  test('down for longer than the credentials live: open sessions go on, and logins wait until it is back', async () => {
    const { clock, pool, source, issue } = await withContainerCredentials(driver);
    const session = await pool.checkout();
    const toll = await Toll.begin('credentials down for 65 minutes', driver.name);
    source.respond(() => 500);
    clock.forward(65 * MINUTE);
    const storming = storm(pool, CONNECTIONS - 1);
    await toll.takes(1);
    expect(await session.query('select 1 as one')).toHaveLength(1);
    source.respond(issue);
    toll.faultIsOver();
    const lost = await storming;
    await toll.recovered(lost.length);
    session.release();
    expect(lost).toEqual([]);
    expect(toll.cost).toMatchObject({ gaveUp: 0 });
    expect(toll.attempts).toBeLessThanOrEqual(4 * CONNECTIONS);
  });

  test('down for longer than the deadline: the error says so, and the next login succeeds', async () => {
    const { clock, pool, source, issue } = await withContainerCredentials(driver, { timeoutMs: 1_500 });
    source.respond(() => 403);
    clock.forward(65 * MINUTE);
    const [error] = await storm(pool, 1);
    expect(error).toMatchObject({
      code: 'ERR_RDS_IAM_CREDENTIALS',
      message: expect.stringContaining('no AWS credentials: '),
    });
    source.respond(issue);
    expect(await storm(pool, 1)).toEqual([]);
  });

  test('rotated, and the old credentials revoked: the first refusal makes it fetch the new ones', async () => {
    const clock = startClock();
    let current: typeof NEXT_KEY = KEY;
    let asked = 0;
    const credentials = async () => {
      asked++;
      return { ...current, expiration: new Date(Date.now() + 60 * MINUTE) };
    };
    const site = await startSite(driver, { accessKeys: [KEY, NEXT_KEY] });
    const pool = site.createPool({ max: CONNECTIONS, iam: site.iamWith({ credentials }) });
    (await pool.checkout()).destroy();
    clock.forward(20 * SECOND);
    const toll = await Toll.begin('credentials rotated, the old revoked', driver.name);
    current = NEXT_KEY;
    site.emulator.setFaults({ revokedAccessKeys: [KEY.accessKeyId] });
    const lost = await storm(pool, CONNECTIONS);
    await toll.recovered(lost.length);
    expect(lost).toEqual([]);
    // The logins that used the old token when it was refused.
    expect(toll.failed).toBeGreaterThan(0);
    expect(toll.attempts).toBeLessThanOrEqual(2 * CONNECTIONS);
    expect(asked).toBe(2);
  });

  test('a metadata service that is slow: the first logins wait for one answer, later ones for none', async () => {
    const clock = startClock();
    const metadata = await startInstanceMetadata(() => issued(18 * MINUTE));
    const restore = setAwsEnvironment({
      AWS_EC2_METADATA_DISABLED: undefined,
      AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.url,
    });
    onTestFinished(async () => {
      restore();
      await metadata.close();
    });
    metadata.delayMs = 300;
    const site = await startSite(driver, { accessKeys: [KEY] });
    const { credentials: _, ...iam } = site.iamWith({});
    const pool = site.createPool({ max: CONNECTIONS, iam });
    const toll = await Toll.begin('metadata service slow', driver.name);
    const lost = [...(await storm(pool, CONNECTIONS))];
    expect(metadata.requests.filter(({ path }) => path.endsWith(metadata.roleName))).toHaveLength(1);

    // The token is due for renewal, and so are the credentials, for which the SDK itself would not wait that long.
    clock.forward(14 * MINUTE);
    metadata.delayMs = 3_000;
    site.emulator.dropConnections();
    const signed = count('rds-iam:token:signed');
    lost.push(...(await storm(pool, CONNECTIONS)));
    await toll.recovered(lost.length);
    expect(lost).toEqual([]);
    expect(signed(), 'the logins did not wait').toBe(0);
    expect(toll.cost).toMatchObject({ attempts: toll.connections, gaveUp: 0 });
  });
});

/** A pool whose credentials come from a container's endpoint and are valid for an hour; one login has succeeded. */
async function withContainerCredentials(driver: Driver, retry: { readonly timeoutMs?: number } = {}) {
  const clock = startClock();
  const issue = () => issued(60 * MINUTE);
  const source = await startContainerCredentials(issue);
  const restore = setAwsEnvironment({
    AWS_CONTAINER_CREDENTIALS_FULL_URI: source.fullUri,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: source.authorizationToken,
  });
  onTestFinished(async () => {
    restore();
    await source.close();
  });
  const site = await startSite(driver, { accessKeys: [KEY] });
  const { credentials: _, ...iam } = site.iamWith({ retry });
  const pool = site.createPool({ max: CONNECTIONS, iam });
  (await pool.checkout()).destroy();
  return { clock, issue, source, site, pool };
}

function issued(lifeMs: number): IssuedCredentials {
  return { ...KEY, expiration: new Date(Date.now() + lifeMs) };
}
