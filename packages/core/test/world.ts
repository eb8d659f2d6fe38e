import type { Clock } from '../src/clock.js';
import type { Effects } from '../src/rds-iam.js';

/** A world whose clock only moves when a test says so. */
export class World {
  time = Date.parse('2026-01-01T00:00:00Z');
  /** What `random()` returns. */
  chance = 0.5;
  /** How much earlier than asked for a timer fires. */
  earlyMs = 0;
  readonly signed: { hostname: string; accessKeyId: string; at: number }[] = [];
  #seed = 1;
  #timers: { at: number; callback: () => void }[] = [];

  readonly clock: Clock = {
    now: () => this.time,
    after: (delayMs, callback) => {
      const timer = { at: this.time + Math.max(0, delayMs - this.earlyMs), callback };
      this.#timers.push(timer);
      return () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      };
    },
  };

  readonly effects: Partial<Effects> = {
    timeOfDay: () => this.time,
    clock: this.clock,
    random: () => this.chance,
    sign: async ({ hostname, port, username, credentials }) => {
      this.signed.push({ hostname, accessKeyId: credentials.accessKeyId, at: this.time });
      return tokenSignedAt(this.time, `${hostname}:${port}`, username, `${this.signed.length}`);
    },
    resolveCname: async () => [],
    clockSkewMs: async () => undefined,
    trustedRoots: async () => ({ certificates: [], description: '' }),
  };

  /** A different number from 0 to 1 each time, but the same series in every run (a linear congruential generator). */
  dice(): number {
    this.#seed = (this.#seed * 48_271) % 2_147_483_647;
    return this.#seed / 2_147_483_647;
  }

  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** Advances the clock from timer to timer and runs each, until there is none or the work has settled. */
  async runTimersUntil<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const done = work.finally(() => {
      settled = true;
    });
    done.catch(() => {});
    for (;;) {
      await settle();
      if (settled) return done;
      const next = this.#timers.reduce((a, b) => (b.at < a.at ? b : a), this.#timers[0] ?? fail('nothing to wait for'));
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.time = Math.max(this.time, next.at);
      next.callback();
    }
  }
}

/** Lets all promises settle that can. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

export function tokenSignedAt(time: number, authority: string, username: string, signature = 'a'): string {
  const stamp = new Date(time).toISOString().replace(/[-:]|\.\d+/g, '');
  return `${authority}/?Action=connect&DBUser=${username}&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F${stamp.slice(0, 8)}%2Feu-west-1%2Frds-db%2Faws4_request&X-Amz-Date=${stamp}&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=${signature}`;
}

function fail(message: string): never {
  throw new Error(message);
}
