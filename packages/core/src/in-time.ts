import type { Clock } from './clock.js';

/** How long work that was told to end may take to do so: its error says why it took so long. */
const GRACE_MS = 100;

export interface Limit<T> {
  readonly clock: Clock;
  readonly withinMs: number;
  /** Also ends the work. */
  readonly stop: AbortSignal | undefined;
  /** Makes the error for work that took too long; the cause is the work's own error, if it ended with one. */
  readonly outOfTime: (cause: unknown) => unknown;
  /** Closes a result that comes too late. */
  readonly discard?: ((late: T) => void) | undefined;
}

/**
 * Settles in time, whatever the work does or fails to do. The work's signal is aborted when its time is over or it is
 * stopped; it then has a moment to clean up before it is no longer waited for.
 */
export function inTime<T>(limit: Limit<T>, work: (until: AbortSignal) => Promise<T>): Promise<T> {
  const { clock, withinMs, stop, outOfTime, discard } = limit;
  if (stop?.aborted) return Promise.reject(stop.reason);
  return new Promise((resolve, reject) => {
    const control = new AbortController();
    let errorOf: ((cause: unknown) => unknown) | undefined;
    let isSettled = false;
    const settle = () => {
      isSettled = true;
      cancel();
      stop?.removeEventListener('abort', onStop);
    };
    const end = (reason: unknown, error: (cause: unknown) => unknown) => {
      if (errorOf || isSettled) return;
      errorOf = error;
      cancel();
      cancel = clock.after(GRACE_MS, () => {
        settle();
        reject(error(undefined));
      });
      control.abort(reason);
    };
    const onStop = () => end(stop?.reason, () => stop?.reason);
    let cancel = clock.after(withinMs, () => end(undefined, outOfTime));
    stop?.addEventListener('abort', onStop, { once: true });
    started(work, control.signal).then(
      (value) => {
        const isLate = isSettled || errorOf;
        if (isLate) discard?.(value);
        if (isSettled) return;
        settle();
        if (errorOf) reject(errorOf(undefined));
        else resolve(value);
      },
      (error: unknown) => {
        if (isSettled) return;
        settle();
        reject(errorOf ? errorOf(error) : error);
      },
    );
  });
}

/** Turns an exception that is thrown synchronously into a rejection. */
function started<T>(work: (until: AbortSignal) => Promise<T>, until: AbortSignal): Promise<T> {
  try {
    return Promise.resolve(work(until));
  } catch (error) {
    return Promise.reject(error);
  }
}
