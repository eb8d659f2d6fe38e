import { onTestFinished, vi } from 'vitest';

/** Makes this process's clock one that goes on as ever, but can be put forward; for the rest of the test. */
export function startClock(): { forward(ms: number): void } {
  vi.useFakeTimers({ toFake: ['Date'], shouldAdvanceTime: true });
  onTestFinished(() => void vi.useRealTimers());
  return { forward: (ms) => vi.setSystemTime(Date.now() + ms) };
}
