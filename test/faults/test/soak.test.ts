import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { count } from '@rds-iam/conformance';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { startClock } from '../src/clock.js';
import { drivers } from '../src/drivers.js';
import { storm } from '../src/load.js';
import { startSite } from '../src/site.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const HOURS = Number(process.env['SOAK_HOURS'] ?? 24);
const STEP_MS = 30 * SECOND;
const STEPS = (HOURS * HOUR) / STEP_MS;
const WARM_UP_STEPS = (4 * HOUR) / STEP_MS;

const CONNECTIONS = 2;
/** In every fourth step all connections are new. */
const USES = 4;
const LOGIN_EVERY_MS = USES * STEP_MS;
const TOKEN_LIFETIME_MS = 15 * MINUTE;
const REFRESHED_BEFORE_EXPIRY_MS = 2 * MINUTE;
const CREDENTIALS_LIFETIME_MS = HOUR;
/** Credentials are requested again in the last five minutes of their life, when a token is due. */
const CREDENTIALS_RENEWED_BEFORE_EXPIRY_MS = 5 * MINUTE;
/** A login that left just the text of its token behind would exceed this. */
const BYTES_PER_LOGIN = 400;

const KEY = { accessKeyId: 'ASIASOAK', secretAccessKey: 'the secret', sessionToken: 'IQoJb3JpZ2lu/='.repeat(60) };
const lines: string[] = [];
afterAll(() => void process.stdout.write(`\n${lines.join('\n')}\n`));

describe.each(drivers)('a recycling pool, with $name:', (driver) => {
  test(
    `${HOURS} hours: no checkout fails, no token is signed too many, nothing grows`,
    async () => {
      const clock = startClock();
      const warnings: Error[] = [];
      const warned = (warning: Error) => void warnings.push(warning);
      process.on('warning', warned);
      onTestFinished(() => void process.off('warning', warned));
      let asked = 0;
      const credentials = async () => {
        asked++;
        return { ...KEY, expiration: new Date(Date.now() + CREDENTIALS_LIFETIME_MS) };
      };
      const site = await startSite(driver, { accessKeys: [KEY] });
      const pool = site.createPool({ max: CONNECTIONS, maxUses: USES, iam: site.iamWith({ credentials }) });
      const signed = count('rds-iam:token:signed');
      const failed = count('rds-iam:connection:attempt-failed');
      const opened = count('rds-iam:connection:opened');
      const startedAt = Date.now();
      const failedCheckouts: unknown[] = [];
      const goOn = async (steps: number) => {
        for (let step = 0; step < steps && failedCheckouts.length === 0; step++) {
          failedCheckouts.push(...(await storm(pool, CONNECTIONS)));
          clock.forward(STEP_MS);
        }
        await vi.waitFor(() => expect([site.emulator.stats.open, site.network.open]).toEqual([0, 0]), 10_000);
        return footprint();
      };

      const half = (STEPS - WARM_UP_STEPS) / 2;
      const warm = await goOn(WARM_UP_STEPS);
      const middle = await goOn(half);
      const end = await goOn(half);
      const logins = opened();

      const passedMs = Date.now() - startedAt;
      const fewest = fewestFor(passedMs);
      // A leak grows with every login; what is only allocated once, such as compiled code, shows in one half only.
      const grown = [middle.heapBytes - warm.heapBytes, end.heapBytes - middle.heapBytes];
      const loginsPerHalf = (half * CONNECTIONS) / USES;
      const bytesPerLogin = Math.round(Math.min(...grown) / loginsPerHalf);
      lines.push(
        `soak of ${HOURS} h over ${driver.name}: ${logins} logins, ${signed()} signings (at least ${fewest.signings}), credentials asked for ${asked} times, heap grew by ${grown.map((bytes) => Math.round(bytes / loginsPerHalf)).join(' and then by ')} bytes a login, ${JSON.stringify(end.resources)}`,
      );
      expect(failedCheckouts).toEqual([]);
      expect(failed()).toBe(0);
      expect(logins).toBe((STEPS * CONNECTIONS) / USES);
      expect(signed()).toBeLessThanOrEqual(fewest.signings * 1.01);
      expect(signed()).toBeGreaterThanOrEqual(fewest.signings * 0.99);
      expect(asked).toBeLessThanOrEqual(fewest.askings);
      expect(bytesPerLogin).toBeLessThan(BYTES_PER_LOGIN);
      expect(end.resources, 'sockets and timers').toEqual(warm.resources);
      expect(warnings, 'of listeners, say').toEqual([]);
    },
    300_000 * Math.max(1, HOURS / 24),
  );
});

/**
 * How often a token must be signed and credentials requested, given their lifetimes: a token expires with its credentials, and is
 * replaced by the first login for which it is due.
 */
function fewestFor(ms: number): { readonly signings: number; readonly askings: number } {
  const fewest = { signings: 0, askings: 0 };
  for (let at = 0, credentialsEndAt = 0; at < ms; fewest.signings++) {
    if (credentialsEndAt - at < CREDENTIALS_RENEWED_BEFORE_EXPIRY_MS) {
      credentialsEndAt = at + CREDENTIALS_LIFETIME_MS;
      fewest.askings++;
    }
    const replaceableAt = Math.min(at + TOKEN_LIFETIME_MS, credentialsEndAt) - REFRESHED_BEFORE_EXPIRY_MS;
    at = Math.ceil(replaceableAt / LOGIN_EVERY_MS) * LOGIN_EVERY_MS;
  }
  return fewest;
}

/** What this process retains once all work has ended. */
async function footprint() {
  for (let turn = 0; turn < 10; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
  }
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo().sort()) {
    if (/^(TCP|TLS|Timeout)/.test(name)) resources[name] = (resources[name] ?? 0) + 1;
  }
  return { heapBytes: process.memoryUsage().heapUsed, resources };
}

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');
