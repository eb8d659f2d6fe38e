import { setTimeout as pause } from 'node:timers/promises';
import type { Emulator, Faults } from '@rds-iam/emulator';
import type { JumpingClock } from './jumping-clock.js';
import type { Ledger } from './ledger.js';

const MINUTE = 60_000;
/** How many connections a pool has. */
export const CONNECTIONS = 4;
/** How many logins are refused before a fault ends: some login has then had more than the three tries of a new user. */
const REFUSALS = 3 * CONNECTIONS + 1;
/** In real time. What a phase waits for normally takes a fraction of a second. */
const STUCK_AFTER_MS = 15_000;

type Phase = (trouble: Trouble) => Promise<void>;

/** Causes one fault after another, each until it has affected the workers. */
export class Trouble {
  readonly #emulator: Emulator;
  readonly #ledger: Ledger;
  readonly #clock: JumpingClock;
  readonly #problems: unknown[];
  #phase = '';
  #dropped = 0;
  #asked = 0;

  /** @param problems - reasons to stop; a phase that gets stuck adds one */
  constructor(emulator: Emulator, ledger: Ledger, clock: JumpingClock, problems: unknown[]) {
    this.#emulator = emulator;
    this.#ledger = ledger;
    this.#clock = clock;
    this.#problems = problems;
  }

  /** How many connections were dropped. */
  get dropped(): number {
    return this.#dropped;
  }

  /** How many logins were refused without a fault. */
  unasked(): number {
    return this.#refused() - this.#asked;
  }

  async goThrough(name: string, phase: Phase): Promise<void> {
    if (this.#problems.length > 0) return;
    this.#phase = name;
    await phase(this);
    await this.progress();
  }

  drop(): void {
    this.#dropped += this.#emulator.dropConnections();
  }

  /** Makes everybody log in again under a fault, until it has had its effect. */
  async under(faults: Faults, effect: () => Promise<void>): Promise<void> {
    const before = this.#refused();
    this.#emulator.setFaults(faults);
    this.drop();
    await effect();
    this.#emulator.setFaults({});
    this.#asked += this.#refused() - before;
  }

  /** Waits until a number of logins were refused. */
  refusals(): Promise<void> {
    const goal = this.#refused() + REFUSALS;
    return this.#until(() => this.#refused() >= goal);
  }

  /** Waits until a number of transfers were committed. */
  progress(transfers = 20): Promise<void> {
    const goal = this.#ledger.committed + transfers;
    return this.#until(() => this.#ledger.committed >= goal);
  }

  /** Makes the clock jump while no login is under way. */
  jump(ms: number): Promise<void> {
    return this.#clock.jump(ms, (condition) => this.#until(condition));
  }

  #refused(): number {
    return Object.values(this.#emulator.stats.refused).reduce((sum, count) => sum + count, 0);
  }

  async #until(condition: () => boolean): Promise<void> {
    const stuckAt = performance.now() + STUCK_AFTER_MS;
    while (this.#problems.length === 0 && !condition()) {
      await pause(2);
      if (performance.now() > stuckAt) this.#problems.push(new Error(`"${this.#phase}" is stuck`));
    }
  }
}

const throttle = { connectionsPerSecond: 1, counting: 'logins' } as const;

export const PHASES: readonly (readonly [name: string, phase: Phase])[] = [
  [
    'a whole lifetime passes',
    async (trouble) => {
      await trouble.jump(16 * MINUTE);
      trouble.drop();
      await trouble.progress();
    },
  ],
  [
    'throttled by refusal',
    (trouble) => trouble.under({ throttle: { ...throttle, action: 'deny' } }, () => trouble.refusals()),
  ],
  [
    'throttled by reset',
    (trouble) => trouble.under({ throttle: { ...throttle, action: 'reset' } }, () => trouble.refusals()),
  ],
  [
    'throttled by delay',
    (trouble) => trouble.under({ throttle: { ...throttle, action: 'delay', delayMs: 20 } }, () => trouble.progress()),
  ],
  ['all tokens refused', (trouble) => trouble.under({ clockOffsetMs: 60 * MINUTE }, () => trouble.refusals())],
  [
    'tokens refused that are older than a minute',
    async (trouble) => {
      await trouble.jump(2 * MINUTE);
      await trouble.under({ clockOffsetMs: 14 * MINUTE }, () => trouble.progress());
    },
  ],
  [
    'connections dropped',
    async (trouble) => {
      for (let count = 0; count < 3; count++) {
        trouble.drop();
        await trouble.progress(5);
      }
    },
  ],
];
