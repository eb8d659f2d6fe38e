import type { Faults } from '@rds-iam/emulator';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { drivers } from '../src/drivers.js';
import { storm } from '../src/load.js';
import type { HalfOpen } from '../src/network.js';
import { type Site, startSite } from '../src/site.js';
import { printTolls, Toll } from '../src/toll.js';

afterAll(printTolls);

const ATTEMPT_TIMEOUT_MS = 400;
const WANTED = 4;

describe.each(drivers)('a login that does not complete, with $name:', (driver) => {
  interface Fault {
    begin(site: Site): void | Promise<void>;
    end(site: Site): void | Promise<void>;
  }

  /** Checks that logins that a fault delays all succeed once it is over. */
  async function survives(name: string, fault: Fault): Promise<void> {
    const site = await startSite(driver);
    const retry = { attemptTimeoutMs: ATTEMPT_TIMEOUT_MS };
    const pool = site.createPool({ max: WANTED, iam: site.iamWith({ retry }) });
    const toll = await Toll.begin(name, driver.name);
    await fault.begin(site);
    const storming = storm(pool, WANTED);
    await toll.takes(2 * WANTED);
    await fault.end(site);
    toll.faultIsOver();
    const lost = await storming;
    await toll.recovered(lost.length);
    expect(lost).toEqual([]);
    expect(toll.cost).toMatchObject({ connections: WANTED, gaveUp: 0 });
    expect(toll.attempts).toBeLessThanOrEqual(5 * WANTED);
    await vi.waitFor(() => expect(site.emulator.stats.open, 'only those that logged in').toBe(WANTED), 10_000);
  }

  test.each<[HalfOpen['until'], HalfOpen['then']]>([
    ['accepted', 'silence'],
    ['accepted', 'end'],
    ['greeted', 'silence'],
    ['greeted', 'end'],
    ['greeted', 'reset'],
    ['half-way into TLS', 'silence'],
    ['half-way into TLS', 'end'],
    ['half-way into TLS', 'reset'],
  ])('%s and then %s: it is retried until it succeeds, and nothing stays open', async (until, then) => {
    await survives(`half-open: ${until}, then ${then}`, {
      begin: (site) => site.network.become({ until, then }),
      end: (site) => site.network.become('fair'),
    });
  });

  test.each<NonNullable<Faults['hang']>>(['before-tls', 'before-authentication', 'after-password'])(
    'a server that hangs %s: each attempt times out, and the first one afterwards succeeds',
    async (hang) => {
      await survives(`server hangs ${hang}`, {
        begin: (site) => site.emulator.setFaults({ hang }),
        end: (site) => site.emulator.setFaults({}),
      });
    },
  );

  test('a server that hangs for longer than the deadline: an error says so, in time, and nothing stays open', async () => {
    const site = await startSite(driver);
    const retry = { attemptTimeoutMs: 600, timeoutMs: 2_500 };
    const pool = site.createPool({ max: WANTED, iam: site.iamWith({ retry }) });
    site.emulator.setFaults({ hang: 'before-authentication' });
    const startedAt = performance.now();
    const errors = await storm(pool, WANTED);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(errors).toHaveLength(WANTED);
    for (const error of errors) {
      expect(error).toMatchObject({
        code: 'ERR_RDS_IAM_UNREACHABLE',
        kind: 'timed-out',
        message: expect.stringMatching(/no answer to the login within|its turn did not come within|no answer within/),
      });
    }
    await vi.waitFor(() => expect(site.emulator.stats.open).toBe(0), 10_000);
    site.emulator.setFaults({});
    expect(await storm(pool, WANTED), 'their places in the pool are free').toEqual([]);
  });

  test('a slow network: every login succeeds at its first attempt', async () => {
    const site = await startSite(driver);
    const pool = site.createPool({ max: WANTED });
    const toll = await Toll.begin('latency of 50 ms each way', driver.name);
    await site.network.become({ latencyMs: 50 });
    const lost = await storm(pool, WANTED);
    await toll.recovered(lost.length);
    expect(lost).toEqual([]);
    expect(toll.cost).toMatchObject({ attempts: WANTED, connections: WANTED });
  });
});
