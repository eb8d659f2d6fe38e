import { onTestFinished, vi } from 'vitest';

/** Replaces this process's clock, for the rest of the test, with one that runs normally but can be moved forward. */
export function startClock(): { forward(ms: number): void } {
  vi.useFakeTimers({ toFake: ['Date'], shouldAdvanceTime: true });
  onTestFinished(() => void vi.useRealTimers());
  return { forward: (ms) => vi.setSystemTime(Date.now() + ms) };
}
