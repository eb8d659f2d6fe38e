/** Time in milliseconds, passed in so that tests control it. */
export interface Clock {
  /** Since the epoch. */
  now(): number;
  /** For durations: setting the wall clock does not affect it. */
  monotonicNow(): number;
  /** Calls back after a delay; returns a function that cancels it. Does not keep the process alive. */
  after(delayMs: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicNow: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** A time limit that only runs while it is started. */
export class Countdown {
  readonly #clock: Clock;
  readonly #onEnd: () => void;
  #leftMs: number;
  #running: { readonly since: number; readonly cancel: () => void } | undefined;

  constructor(clock: Clock, ms: number, onEnd: () => void) {
    this.#clock = clock;
    this.#leftMs = ms;
    this.#onEnd = onEnd;
  }

  start(): void {
    this.#running ??= { since: this.#clock.monotonicNow(), cancel: this.#clock.after(this.#leftMs, this.#onEnd) };
  }

  stop(): void {
    if (!this.#running) return;
    this.#running.cancel();
    this.#leftMs = Math.max(0, this.#leftMs - (this.#clock.monotonicNow() - this.#running.since));
    this.#running = undefined;
  }
}
