import { createRdsIam } from '@rds-iam/core';
import { setAwsEnvironment, startSts } from '@rds-iam/test-servers';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { startClock } from '../src/clock.js';
import { drivers } from '../src/drivers.js';
import { storm } from '../src/load.js';
import { startSite } from '../src/site.js';
import { printTolls, Toll } from '../src/toll.js';

afterAll(printTolls);

const MINUTE = 60_000;
/** With one retry, and without waiting for a server that only throttles. */
const IMPATIENT = { retry: { patienceMs: 500 } };

describe.each(drivers)('a wrong clock, with $name:', (driver) => {
  test('10 minutes ahead: the error says so and names the option with its value, which has every login succeed', async () => {
    // Other clocks are set back, which is the same.
    const skewMs = -10 * MINUTE;
    await clockOfAws(skewMs);
    const site = await startSite(driver);
    site.emulator.setFaults({ clockOffsetMs: skewMs });
    const [error] = await storm(site.createPool({ iam: site.iamWith(IMPATIENT) }), 1);
    expect(error).toMatchObject({ code: 'ERR_RDS_IAM_REFUSED', attempts: expect.any(Number) });
    const { message } = error as Error;
    expect(message).toMatch(/1\. this machine's clock is 10 minutes ahead of AWS's: set the clock, or give/);
    const clockOffsetMs = Number(/give (-?\d+) as "clockOffsetMs"/.exec(message)?.[1]);
    expect(clockOffsetMs).toBeGreaterThan(skewMs - 3_000);
    expect(clockOffsetMs).toBeLessThan(skewMs + 3_000);

    const toll = await Toll.begin('clock 10 minutes ahead, corrected', driver.name);
    const lost = await storm(site.createPool({ iam: site.iamWith({ clockOffsetMs }) }), 4);
    await toll.recovered(lost.length);
    expect(lost).toEqual([]);
    expect(toll.cost).toMatchObject({ attempts: 4, connections: 4 });
  });

  test('20 minutes behind: the error says so and names the option with its value, which has every login succeed', async () => {
    const skewMs = 20 * MINUTE;
    await clockOfAws(skewMs);
    const site = await startSite(driver);
    site.emulator.setFaults({ clockOffsetMs: skewMs });
    const [error] = await storm(site.createPool({ iam: site.iamWith(IMPATIENT) }), 1);
    const { message } = error as Error;
    expect(message).toMatch(/1\. this machine's clock is 20 minutes behind AWS's: set the clock, or give/);
    const clockOffsetMs = Number(/give (-?\d+) as "clockOffsetMs"/.exec(message)?.[1]);
    const toll = await Toll.begin('clock 20 minutes behind, corrected', driver.name);
    const lost = await storm(site.createPool({ iam: site.iamWith({ clockOffsetMs }) }), 4);
    await toll.recovered(lost.length);
    expect(lost).toEqual([]);
    expect(toll.cost).toMatchObject({ attempts: 4, connections: 4 });
  });

  test.each([
    ['a token lasts five minutes, then one login is refused', 0, 2],
    ['corrected, none is refused', 10 * MINUTE, 1],
  ])('10 minutes behind: %s, and nothing is lost', async (how, clockOffsetMs, attempts) => {
    const clock = startClock();
    const site = await startSite(driver);
    site.emulator.setFaults({ clockOffsetMs: 10 * MINUTE });
    const pool = site.createPool({ max: 1, iam: createRdsIam(site.iamWith({ clockOffsetMs })) });
    (await pool.checkout()).destroy();
    clock.forward(6 * MINUTE);
    const toll = await Toll.begin(`clock 10 minutes behind: ${how}`, driver.name);
    const lost = await storm(pool, 1);
    await toll.recovered(lost.length);
    expect(lost).toEqual([]);
    expect(toll.cost).toMatchObject({ attempts, connections: 1 });
  });
});

/** A stand-in for STS, named in AWS's settings, whose clock is this far ahead of ours. */
async function clockOfAws(dateOffsetMs: number): Promise<void> {
  const sts = await startSts(() => ({ status: 403, code: 'AccessDenied', message: 'only the time is given here' }));
  const restore = setAwsEnvironment({ AWS_ENDPOINT_URL_STS: sts.url });
  sts.dateOffsetMs = dateOffsetMs;
  onTestFinished(async () => {
    restore();
    await sts.close();
  });
}
