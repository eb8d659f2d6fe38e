import type { Clock } from './clock.js';
import { publish } from './diagnostics.js';
import { RdsIamError } from './errors.js';
import { timedOut } from './failure.js';
import type { ConnectionLimiter } from './limiter.js';
import { afterOpening, afterRefusal, type Pace, rateAt, UNHURRIED, waitMs } from './pace.js';
import { SharedBudget } from './shared-budget.js';

/** How many logins may be under way before the server has answered the first; each that succeeds makes room for one more. */
const LOGINS_AT_FIRST = 10;
/** In this time the server was asked lately: how many it admitted is what it admits. */
const LATELY_MS = 1_000;

export interface AdmissionOptions {
  readonly hostname: string;
  readonly port: number;
  /** Connections per second; infinite where none is known. */
  readonly perSecond: number;
  /** How many may wait. */
  readonly maxWaiting: number;
  readonly limiter?: ConnectionLimiter | undefined;
}

/** Leave to open one physical connection. Exactly one of its methods is to be called, once, when that has ended. */
export interface Leave {
  succeeded(): void;
  /** The server refused it because there are too many. */
  refused(): void;
  /** It broke off, which can be a way of refusing. */
  brokenOff(error: unknown): void;
  failed(): void;
}

interface Waiter {
  readonly place: number;
  readonly proceed: (leave: Leave) => void;
}

/**
 * Who may open a physical connection to one database instance, and when: first come first served, at no more than the known
 * limit, or at the rate that the server is found to admit.
 *
 * Before the server has answered, only a few logins are under way, and each success lets one more: their number doubles with
 * each round trip, so that a limit is found by overstepping it once and not by all that want to connect at once.
 */
export class Admission {
  readonly #clock: Clock;
  readonly #options: AdmissionOptions;
  readonly #budget: SharedBudget | undefined;
  readonly #waiting: Waiter[] = [];
  #places = 0;
  #underWay = 0;
  #mostUnderWay = LOGINS_AT_FIRST;
  #admittedAtMs: number[] = [];
  #pace: Pace = UNHURRIED;
  #callOff: (() => void) | undefined;
  /** What the latest login that broke off ended with, until one succeeds. */
  #brokenOff: { readonly error: unknown } | undefined;

  constructor(clock: Clock, options: AdmissionOptions) {
    this.#clock = clock;
    this.#options = options;
    const { limiter, hostname, port, perSecond } = options;
    this.#budget = limiter && new SharedBudget(clock, limiter, { hostname, port }, perSecond, () => this.#admit());
  }

  /** The place of one that wants a connection; it keeps it for all its attempts, before those that came later. */
  takePlace(): number {
    return this.#places++;
  }

  /**
   * Waits for leave.
   *
   * @throws RdsIamError `ERR_RDS_IAM_ADMISSION` when too many wait, or `withinMs` is over
   * @throws LoginFailure `timed-out`, or what others ended with, when it is over because of an outage
   * @throws the reason of the signal when it is aborted
   */
  leave(place: number, withinMs: number, signals: readonly (AbortSignal | undefined)[]): Promise<Leave> {
    if (this.#waiting.length >= this.#options.maxWaiting) {
      return Promise.reject(this.#notAdmitted(`${this.#waiting.length} are waiting already, as many as may`));
    }
    return new Promise((resolve, reject) => {
      const end = () => {
        callOff();
        for (const signal of signals) signal?.removeEventListener('abort', stop);
      };
      const waiter: Waiter = {
        place,
        proceed: (leave) => {
          end();
          resolve(leave);
        },
      };
      const giveUp = (reason: unknown) => {
        end();
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        this.#admit();
        reject(reason);
      };
      const stop = () => giveUp(signals.find((signal) => signal?.aborted)?.reason);
      const callOff = this.#clock.after(withinMs, () => giveUp(this.#outOfTime(withinMs)));
      for (const signal of signals) signal?.addEventListener('abort', stop, { once: true });
      this.#queue(waiter);
      if (signals.some((signal) => signal?.aborted)) stop();
      else this.#admit();
    });
  }

  #queue(waiter: Waiter): void {
    const later = this.#waiting.findLastIndex(({ place }) => place < waiter.place) + 1;
    this.#waiting.splice(later, 0, waiter);
  }

  #admit(): void {
    this.#callOff?.();
    this.#callOff = undefined;
    while (this.#waiting.length > 0 && this.#underWay < this.#mostUnderWay) {
      const sharedMs = this.#budget ? this.#budget.waitMs(this.#waiting.length) : 0;
      if (sharedMs === undefined) return;
      const now = this.#clock.now();
      const delayMs = Math.max(sharedMs, waitMs(this.#pace, now));
      if (delayMs > 0) {
        this.#callOff = this.#clock.after(delayMs, () => this.#admit());
        return;
      }
      this.#budget?.use();
      this.#pace = afterOpening(this.#pace, this.#limit, now);
      this.#underWay++;
      this.#waiting.shift()?.proceed(this.#newLeave(now));
    }
  }

  /** The limit that this process keeps to by itself. */
  get #limit(): number {
    return this.#budget ? this.#budget.ownLimit : this.#options.perSecond;
  }

  #newLeave(givenAtMs: number): Leave {
    const end = (what?: () => void) => {
      this.#underWay--;
      what?.();
      this.#admit();
    };
    return {
      succeeded: () =>
        end(() => {
          this.#brokenOff = undefined;
          this.#mostUnderWay++;
          this.#admittedAtMs.push(this.#clock.now());
          this.#forget();
        }),
      refused: () => end(() => this.#slowDown(givenAtMs, this.#forget())),
      brokenOff: (error) =>
        end(() => {
          this.#brokenOff = { error };
          const admitted = this.#forget();
          // While hardly anybody wants in, it is the network.
          if (admitted.length >= LOGINS_AT_FIRST) this.#slowDown(givenAtMs, admitted);
          // While nobody gets in, it is an outage, and whoever comes back should not be met by all at once.
          else if (admitted.length === 0) this.#mostUnderWay = LOGINS_AT_FIRST;
        }),
      failed: () => end(),
    };
  }

  #slowDown(givenAtMs: number, admittedAtMs: readonly number[]): void {
    // Those that were under way when the pace was cut say nothing new.
    if (givenAtMs < this.#pace.slowedAtMs) return;
    // Where nobody gets in there is no rate to be seen: that is an outage, or all of the limit is others', and the wait
    // between attempts does what can be done.
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

  #forget(): readonly number[] {
    const since = this.#clock.now() - LATELY_MS;
    this.#admittedAtMs = this.#admittedAtMs.filter((at) => at > since);
    return this.#admittedAtMs;
  }

  /** In an outage, what is wrong is what becomes of those that have leave, and not that others wait behind them. */
  #outOfTime(withinMs: number): unknown {
    if (this.#brokenOff) return this.#brokenOff.error;
    if (this.#underWay >= this.#mostUnderWay) return timedOut(withinMs, undefined);
    return this.#notAdmitted('its turn had not come in time');
  }

  #notAdmitted(why: string): RdsIamError {
    const rate = rateAt(this.#pace, this.#limit, this.#clock.now());
    const atRate = Number.isFinite(rate) ? `, at ${Math.round(rate)} a second` : '';
    return new RdsIamError(
      'ERR_RDS_IAM_ADMISSION',
      `no leave to open a connection: ${why} (${this.#waiting.length} waiting, ${this.#underWay} logins under way${atRate}). Make the pools smaller, keep connections longer, raise "maxConnectionsPerSecond" if the instance admits more, or allow more time`,
    );
  }
}
