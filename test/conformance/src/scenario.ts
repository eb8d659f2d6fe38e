import { randomInt } from 'node:crypto';
import { type AwsCredentialIdentityProvider, createRdsIam, isRdsIamError } from '@rds-iam/core';
import type { AccessKey } from '@rds-iam/emulator';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Subject } from './contract.js';
import { count } from './events.js';
import { JumpingClock } from './jumping-clock.js';
import { Ledger } from './ledger.js';
import { watchSignings } from './signings.js';
import { startStack } from './stack.js';
import { CONNECTIONS, PHASES, Trouble } from './trouble.js';

const MINUTE = 60_000;
const WORKERS = 20;
const TOKEN_LIFETIME_MS = 15 * MINUTE;
const SHORTEST_JUMP_MS = 7 * MINUTE;
const LONGEST_JUMP_MS = 12 * MINUTE;
/** The longest time without any login: between two phases, and within one. */
const LONGEST_PAUSE_MS = LONGEST_JUMP_MS + 16 * MINUTE;
const CREDENTIALS_LIFETIME_MS = 20 * MINUTE;
/** Credentials are requested again in the last five minutes of their life. */
const CREDENTIALS_REUSED_MS = CREDENTIALS_LIFETIME_MS - 5 * MINUTE;

const ACCESS_KEYS = ['ASIAFIRST', 'ASIASECOND', 'ASIATHIRD', 'ASIAFOURTH'].map((accessKeyId) => ({
  accessKeyId,
  secretAccessKey: `the secret of ${accessKeyId}`,
  sessionToken: `IQoJb3JpZ2lu/${accessKeyId}=`.repeat(40),
}));

/**
 * Real use for more than an hour of the clock. The order of events depends on the seed in the test's name; set `SCENARIO_SEED` to
 * repeat it. Vitest itself fails the run for an unhandled rejection.
 */
export function describeScenario(subject: Subject): void {
  const seed = Number(process.env['SCENARIO_SEED'] ?? randomInt(2 ** 31));

  describe(`${subject.name} in real use:`, () => {
    test(`no transaction is lost or done twice, and no worker sees a failed login (seed ${seed})`, async () => {
      await using stack = await startStack(subject.engine, { accessKeys: ACCESS_KEYS });
      const { emulator, username, database } = stack;
      const clock = new JumpingClock();
      onTestFinished(() => void vi.useRealTimers());
      const credentials = rotating(ACCESS_KEYS);
      const signings = watchSignings(username);
      const gaveUp = count('rds-iam:connection:gave-up', username);
      const iam = clock.holding(createRdsIam({ ...stack.iam, credentials: credentials.provider }));
      const pool = subject.createPool({
        ...{ hostname: 'localhost', port: emulator.port, username, database, iam },
        ...{ max: CONNECTIONS, maxUses: 25 },
      });
      const ledger = new Ledger(pool);
      await ledger.create();

      const problems: unknown[] = [];
      let stopped = false;
      let lost = 0;
      const work = async (worker: number) => {
        for (let number = 0, again = false; problems.length === 0 && (again || !stopped); ) {
          try {
            await ledger.transfer(worker, number, again);
            number++;
            again = false;
          } catch (error) {
            const diagnosis = subject.diagnosisOf ? subject.diagnosisOf(error) : error;
            if (isRdsIamError(diagnosis) || !saysThatItBroke(error)) problems.push(error);
            lost++;
            again = true;
          }
        }
      };
      const workers = Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(worker)));

      const trouble = new Trouble(emulator, ledger, clock, problems);
      const random = randomFrom(seed);
      const longerMs = () => random() * (LONGEST_JUMP_MS - SHORTEST_JUMP_MS);
      for (const [name, phase] of shuffled(PHASES, random)) {
        await trouble.goThrough(name, phase);
        await trouble.jump(SHORTEST_JUMP_MS + longerMs());
      }
      stopped = true;
      if (problems.length === 0) await workers;
      else void pool.end().catch(() => {}); // also with logins that would be retried forever

      expect(problems).toEqual([]);
      expect(await ledger.found()).toEqual(ledger.expected());
      expect(gaveUp(), 'logins that were given up').toBe(0);
      expect(trouble.dropped, 'transactions broke off, and not more than connections did').toBeGreaterThanOrEqual(lost);
      expect(lost).toBeGreaterThan(0);
      expect(trouble.unasked(), 'refusals of tokens that no fault explains').toBe(0);

      const { passedMs } = clock;
      expect(passedMs).toBeGreaterThan(4 * TOKEN_LIFETIME_MS);
      expect(signings, 'each signing had a reason').toMatchObject({ first: 1, unexplained: 0 });
      expect(signings.refused, 'a refused token was replaced').toBeGreaterThan(0);
      // Everybody logs in again in each phase: a token serves for its lifetime, and is replaced after a pause at the latest.
      expect(1 + signings.lifetime + signings.refused).toBeGreaterThan(
        passedMs / (TOKEN_LIFETIME_MS + LONGEST_PAUSE_MS),
      );
      expect(credentials.asked()).toBeGreaterThan(1);
      // The credentials of a refused token may have been revoked.
      expect(credentials.asked()).toBeLessThanOrEqual(1 + passedMs / CREDENTIALS_REUSED_MS + signings.refused);

      // Sequelize's close() neither waits for a login under way nor ends it.
      await vi.waitFor(() => expect(clock.isQuiet()).toBe(true), { timeout: 10_000 });
      await pool.end();
      vi.useRealTimers();
      await vi.waitFor(async () => {
        expect({ open: emulator.stats.open, sessions: await stack.sessions() }).toEqual({ open: 0, sessions: 0 });
      }, 10_000);
    }, 60_000);
  });
}

/** A provider that returns another session each time. */
function rotating(keys: readonly AccessKey[]) {
  let asked = 0;
  const provider: AwsCredentialIdentityProvider = async () => ({
    ...(keys[asked++ % keys.length] as AccessKey),
    expiration: new Date(Date.now() + CREDENTIALS_LIFETIME_MS),
  });
  return { provider, asked: () => asked };
}

/** The codes of Node.js, pg, mysql2, the mariadb connector and Prisma for a statement on a connection that breaks or is broken. */
const BROKEN =
  /ECONNRESET|EPIPE|Connection terminated unexpectedly|is not queryable|PROTOCOL_CONNECTION_LOST|in closed state|ER_SOCKET_UNEXPECTED_CLOSE|ER_CMD_CONNECTION_CLOSED|ConnectionClosed|Server has closed the connection|socket has unexpectedly been closed/;

/** Whether an error, or one of its causes, says that an open connection was lost. */
function saysThatItBroke(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code = '' } = error as { readonly code?: unknown };
  if (BROKEN.test(`${error.message} ${code}`)) return true;
  return [error.cause, ...Object.values(error)].some(saysThatItBroke);
}

/** Random numbers from 0 to 1, the same ones for the same seed: an arithmetic sequence whose bits are mixed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
