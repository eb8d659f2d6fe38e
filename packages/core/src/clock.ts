/** Time for what waits and for what is due, in milliseconds: a clock that is set, or that stands still, does not touch it. */
export interface Clock {
  now(): number;
  /** Calls back after a time; returns what cancels that. */
  after(delayMs: number, callback: () => void): () => void;
}

// Held from the beginning: tests that fake timers fake them for what waits in the drivers, but a server does not stand still.
const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis;
const { uptime } = process;

export const systemClock: Clock = {
  // Not performance.now(), which faked timers set back to 0.
  now: () => uptime() * 1_000,
  after(delayMs, callback) {
    const timer = startTimer(callback, delayMs);
    return () => stopTimer(timer);
  },
};
