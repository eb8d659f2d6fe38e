import type { Faults } from '@rds-iam/emulator';
import { afterAll, describe, expect, test } from 'vitest';
import { drivers } from '../src/drivers.js';
import { storm } from '../src/load.js';
import { startSite } from '../src/site.js';
import { printTolls, Toll } from '../src/toll.js';

afterAll(printTolls);

const WANTED = 75;
const ADMITTED_PER_SECOND = 15;
/** The number of new processes; the server admits half of them in a second. */
const FLEET = 10;
// The cost of an unknown limit is measured in the bench; here a storm is over before finding the limit pays off.

describe.each(drivers)('unexpected throttling, with $name:', (driver) => {
  test.each<[string, Faults['throttle'] & object, number]>([
    ['by refusal', { connectionsPerSecond: ADMITTED_PER_SECOND, action: 'deny', counting: 'logins' }, 2],
    ['by reset', { connectionsPerSecond: ADMITTED_PER_SECOND, action: 'reset', counting: 'logins' }, 2],
    ['by delay', { connectionsPerSecond: ADMITTED_PER_SECOND, action: 'delay', delayMs: 300, counting: 'logins' }, 1],
  ])(
    '%s: all of a storm get their connection, with few attempts more than connections',
    async (how, throttle, most) => {
      const site = await startSite(driver);
      const pool = site.createPool({ max: WANTED });
      const toll = await Toll.begin(`throttled ${how}`, driver.name);
      site.emulator.setFaults({ throttle });
      const lost = await storm(pool, WANTED);
      await toll.recovered(lost.length);
      expect(lost).toEqual([]);
      expect(site.emulator.stats.accepted).toBe(WANTED);
      // According to the server, the fault took effect, or there is nothing to retry.
      if (throttle.action === 'delay') expect(toll.failed).toBe(0);
      else expect(site.emulator.stats.refused.throttled).toBeGreaterThan(0);
      expect(toll.attempts).toBeLessThanOrEqual(WANTED * most);
    },
  );

  test('a fleet of new processes that do not know of each other gets in', async () => {
    const site = await startSite(driver);
    // A pool with IAM options, and not with an RdsIam, shares nothing with others: neither a token nor what was learned.
    const fleet = Array.from({ length: FLEET }, () => site.createPool({ max: 1 }));
    const toll = await Toll.begin('a fleet of new processes', driver.name);
    site.emulator.setFaults({
      throttle: { connectionsPerSecond: FLEET / 2, action: 'deny', counting: 'logins' },
    });
    const lost = (await Promise.all(fleet.map((pool) => storm(pool, 1)))).flat();
    await toll.recovered(lost.length);
    expect(lost).toEqual([]);
    expect(site.emulator.stats.refused.throttled).toBeGreaterThan(0);
    expect(toll.attempts).toBeLessThanOrEqual(5 * FLEET);
  });
});
