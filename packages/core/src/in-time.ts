import type { Clock } from './clock.js';

/** How long work that was told to end may take to do so: what it then says is why it took so long. */
const GRACE_MS = 100;

export interface Limit<T> {
  readonly clock: Clock;
  readonly withinMs: number;
  /** Ends the work as well. */
  readonly stop: AbortSignal | undefined;
  /** Makes the error of work that took too long; the cause is what it ended with, if it did. */
  readonly outOfTime: (cause: unknown) => unknown;
  /** Closes what the work brings when nobody waits for it any more. */
  readonly discard?: ((late: T) => void) | undefined;
}

/**
 * Ends in time, whatever the work does or never does. The signal that it gets is aborted when its time is over or it is
 * stopped; it may then take a moment to clean up, and is no longer waited for after that.
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

/** An exception that is thrown at once is a rejection, too. */
function started<T>(work: (until: AbortSignal) => Promise<T>, until: AbortSignal): Promise<T> {
  try {
    return Promise.resolve(work(until));
  } catch (error) {
    return Promise.reject(error);
  }
}
