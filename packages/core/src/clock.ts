/** The monotonic clock for waits and deadlines, in milliseconds: setting or freezing the wall clock does not affect it. */
export interface Clock {
  now(): number;
  /** Calls back after a delay; returns a function that cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

// Taken at load: a user's tests may fake the timers, but the server's time goes on.
const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis;
const { uptime } = process;

export const systemClock: Clock = {
  // Not performance.now(), which fake timers reset to 0.
  now: () => uptime() * 1_000,
  after(delayMs, callback) {
    const timer = startTimer(callback, delayMs);
    return () => stopTimer(timer);
  },
};
