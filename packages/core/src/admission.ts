import type { Clock } from './clock.js';
import { publish } from './diagnostics.js';
import { RdsIamError } from './errors.js';
import { timedOut } from './failure.js';
import type { ConnectionLimiter } from './limiter.js';
import { afterOpening, afterRefusal, type Pace, rateAt, UNPACED, waitMs } from './pace.js';
import { SharedBudget } from './shared-budget.js';

/** How many logins may be under way before the server has answered the first; each success adds one to the limit. */
const INITIAL_CONCURRENCY = 10;
/** The server's rate is measured as the number of logins it admitted in this time. */
const WINDOW_MS = 1_000;
/** After this long without a login, what was learned about the server's limit is stale. */
const QUIET_MS = 60_000;

export interface AdmissionOptions {
  readonly hostname: string;
  readonly port: number;
  /** Connections per second; `Infinity` if no limit is known. */
  readonly perSecond: number;
  /** The length limit of the queue. */
  readonly maxWaiting: number;
  readonly limiter?: ConnectionLimiter | undefined;
}

/** Allows one physical connection to be opened. When that has ended, call exactly one of the methods, once. */
export interface Permit {
  succeeded(): void;
  /** The server refused it because there are too many connections. */
  refused(): void;
  /** The connection was dropped, which can be a way of refusing. */
  dropped(error: unknown): void;
  failed(): void;
}

interface Waiter {
  readonly ticket: number;
  readonly proceed: (permit: Permit) => void;
}

/**
 * Decides who may open a physical connection to one database instance, and when: first come, first served, at no more than
 * the known limit or the rate at which the server is seen to admit logins.
 *
 * Before the server has answered, only a few logins are under way, and each success allows one more. Their number doubles
 * with each round trip, so a limit is found by exceeding it once, not by everybody who wants to connect at the same time.
 */
export class Admission {
  readonly #clock: Clock;
  readonly #options: AdmissionOptions;
  readonly #budget: SharedBudget | undefined;
  readonly #queue: Waiter[] = [];
  #tickets = 0;
  #underWay = 0;
  #maxConcurrency = INITIAL_CONCURRENCY;
  #lastUsedMs = 0;
  #admittedAtMs: number[] = [];
  #pace: Pace = UNPACED;
  #cancelWake: (() => void) | undefined;
  /** The error of the latest login that was dropped, until one succeeds. */
  #drop: { readonly error: unknown } | undefined;

  constructor(clock: Clock, options: AdmissionOptions) {
    this.#clock = clock;
    this.#options = options;
    const { limiter, hostname, port, perSecond } = options;
    this.#budget = limiter && new SharedBudget(clock, limiter, { hostname, port }, perSecond, () => this.#admit());
  }

  /** A ticket for the queue: it keeps all attempts of one connection ahead of connections that were requested later. */
  takeTicket(): number {
    return this.#tickets++;
  }

  /**
   * Returns a permit: at once if one is free, otherwise when its turn comes.
   *
   * @throws RdsIamError `ERR_RDS_IAM_ADMISSION` when the queue is full, or `withinMs` has passed
   * @throws LoginFailure `timed-out`, or the error that other logins failed with, when `withinMs` has passed because of an outage
   * @throws the reason of the signal when it is aborted
   */
  permit(ticket: number, withinMs: number, signals: readonly (AbortSignal | undefined)[]): Permit | Promise<Permit> {
    const stopped = signals.find((signal) => signal?.aborted);
    if (stopped) return Promise.reject(stopped.reason);
    const permit = this.#queue.length === 0 ? this.#next(1) : undefined;
    if (permit) return permit;
    const { maxWaiting } = this.#options;
    if (this.#queue.length >= maxWaiting) {
      if (maxWaiting === 0) this.#sleep();
      return Promise.reject(this.#notAdmitted(`the queue is full (limit ${maxWaiting})`));
    }
    return this.#wait(ticket, withinMs, signals);
  }

  #wait(ticket: number, withinMs: number, signals: readonly (AbortSignal | undefined)[]): Promise<Permit> {
    return new Promise((resolve, reject) => {
      const end = () => {
        cancel();
        for (const signal of signals) signal?.removeEventListener('abort', stop);
      };
      const waiter: Waiter = {
        ticket,
        proceed: (permit) => {
          end();
          resolve(permit);
        },
      };
      const giveUp = (reason: unknown) => {
        end();
        this.#queue.splice(this.#queue.indexOf(waiter), 1);
        this.#admit();
        reject(reason);
      };
      const stop = () => giveUp(signals.find((signal) => signal?.aborted)?.reason);
      const cancel = this.#clock.after(withinMs, () => giveUp(this.#outOfTime(withinMs)));
      for (const signal of signals) signal?.addEventListener('abort', stop, { once: true });
      this.#queue.splice(this.#queue.findLastIndex((other) => other.ticket < ticket) + 1, 0, waiter);
      this.#admit();
    });
  }

  #admit(): void {
    for (let [first] = this.#queue; first; [first] = this.#queue) {
      const permit = this.#next(this.#queue.length);
      if (!permit) return;
      this.#queue.shift();
      first.proceed(permit);
    }
    this.#sleep();
  }

  #sleep(): void {
    this.#cancelWake?.();
    this.#cancelWake = undefined;
  }

  /** The next permit if one is free now; if not, schedules the queue to go on when one is. */
  #next(wanted: number): Permit | undefined {
    this.#sleep();
    const now = this.#clock.now();
    if (this.#underWay === 0 && now - this.#lastUsedMs > QUIET_MS) this.#maxConcurrency = INITIAL_CONCURRENCY;
    if (this.#underWay >= this.#maxConcurrency) return undefined;
    // No reserved turn should have to wait for a login to end.
    const usable = Math.min(wanted, this.#maxConcurrency - this.#underWay);
    const sharedMs = this.#budget ? this.#budget.waitMs(usable) : 0;
    if (sharedMs === undefined) return undefined;
    const delayMs = Math.max(sharedMs, waitMs(this.#pace, now));
    if (delayMs > 0) {
      this.#cancelWake = this.#clock.after(delayMs, () => this.#admit());
      return undefined;
    }
    this.#budget?.use();
    this.#pace = afterOpening(this.#pace, this.#limit, now);
    this.#underWay++;
    this.#lastUsedMs = now;
    return this.#newPermit(now);
  }

  /** The limit that this process keeps to by itself. */
  get #limit(): number {
    return this.#budget ? this.#budget.ownLimit : this.#options.perSecond;
  }

  #newPermit(givenAtMs: number): Permit {
    const end = (what?: (now: number) => void) => {
      this.#underWay--;
      this.#lastUsedMs = this.#clock.now();
      what?.(this.#lastUsedMs);
      if (this.#queue.length > 0) this.#admit();
    };
    return {
      succeeded: () =>
        end((now) => {
          this.#drop = undefined;
          this.#maxConcurrency++;
          this.#admittedAtMs.push(now);
          this.#inWindow(now);
        }),
      refused: () => end((now) => this.#slowDown(givenAtMs, this.#inWindow(now))),
      dropped: (error) =>
        end((now) => {
          this.#drop = { error };
          const admitted = this.#inWindow(now);
          // With few logins admitted, a drop is the network's doing and not a limit.
          if (admitted.length >= INITIAL_CONCURRENCY) this.#slowDown(givenAtMs, admitted);
          // With none admitted it is an outage, and a server that comes back should not be hit by everybody at once.
          else if (admitted.length === 0) this.#maxConcurrency = INITIAL_CONCURRENCY;
        }),
      failed: () => end(),
    };
  }

  #slowDown(givenAtMs: number, admittedAtMs: readonly number[]): void {
    // Logins that were already under way when the pace was cut say nothing new.
    if (givenAtMs < this.#pace.slowedAtMs) return;
    // With none admitted there is no rate to measure: it is an outage, or other clients use the whole limit, and the backoff
    // between attempts has to do.
    if (admittedAtMs.length === 0) return;
    const now = this.#clock.now();
    this.#pace = afterRefusal(this.#pace, this.#limit, admittedAtMs, now);
    const { hostname, port } = this.#options;
    publish('rds-iam:admission:slowed', () => ({
      hostname,
      port,
      connectionsPerSecond: rateAt(this.#pace, this.#limit, now),
    }));
  }

  /** The times within the last second; older ones are removed from the front. */
  #inWindow(now: number): readonly number[] {
    const first = this.#admittedAtMs.findIndex((at) => at > now - WINDOW_MS);
    if (first !== 0) this.#admittedAtMs.splice(0, first < 0 ? this.#admittedAtMs.length : first);
    return this.#admittedAtMs;
  }

  /** In an outage, the error to report is that of the logins with a permit, not that others were waiting behind them. */
  #outOfTime(withinMs: number): unknown {
    if (this.#drop) return this.#drop.error;
    if (this.#underWay >= this.#maxConcurrency) return timedOut(withinMs, undefined);
    return this.#notAdmitted(`its turn did not come within ${Math.round(withinMs)} ms`);
  }

  #notAdmitted(why: string): RdsIamError {
    const rate = rateAt(this.#pace, this.#limit, this.#clock.now());
    const atRate = Number.isFinite(rate) ? `, at ${Math.round(rate)} a second` : '';
    return new RdsIamError(
      'ERR_RDS_IAM_ADMISSION',
      `connection not admitted: ${why} (${this.#queue.length} waiting, ${this.#underWay} logins under way${atRate}). Make the pools smaller, keep connections longer, raise "maxConnectionsPerSecond" if the instance admits more, or allow more time`,
    );
  }
}
