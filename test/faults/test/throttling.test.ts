import type { Faults } from '@rds-iam/emulator';
import { afterAll, describe, expect, test } from 'vitest';
import { drivers } from '../src/drivers.js';
import { storm } from '../src/load.js';
import { startSite } from '../src/site.js';
import { printTolls, Toll } from '../src/toll.js';

afterAll(printTolls);

const WANTED = 75;
const ADMITTED_PER_SECOND = 15;
// What an unknown limit costs is measured in the bench; here a storm is over before it pays to have found it.

describe.each(drivers)('throttling that nobody knew of, over $name:', (driver) => {
  test.each<[string, Faults['throttle'] & object, number]>([
    ['by refusal', { connectionsPerSecond: ADMITTED_PER_SECOND, action: 'deny', counting: 'logins' }, 2],
    ['by reset', { connectionsPerSecond: ADMITTED_PER_SECOND, action: 'reset', counting: 'logins' }, 2],
    ['by delay', { connectionsPerSecond: ADMITTED_PER_SECOND, action: 'delay', delayMs: 300, counting: 'logins' }, 1],
  ])('%s: all of a storm get their connection, at few attempts more than connections', async (how, throttle, most) => {
    const site = await startSite(driver);
    const pool = site.createPool({ max: WANTED });
    const toll = await Toll.begin(`throttled ${how}`, driver.name);
    site.emulator.setFaults({ throttle });
    const lost = await storm(pool, WANTED);
    await toll.recovered(lost.length);
    expect(lost).toEqual([]);
    expect(site.emulator.stats.accepted).toBe(WANTED);
    // The server's own account of it: what the fault is for has come about, or there is nothing to be tried again.
    if (throttle.action === 'delay') expect(toll.failed).toBe(0);
    else expect(site.emulator.stats.refused.throttled).toBeGreaterThan(0);
    expect(toll.attempts).toBeLessThanOrEqual(WANTED * most);
  });
});
