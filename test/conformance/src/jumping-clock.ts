import type { RdsIam } from '@rds-iam/core';
import { vi } from 'vitest';

/**
 * The process's clock, which stands still except when it is told to jump. No login is under way then, since real clocks do not
 * jump and the deadlines of logins count by it. Statements and transactions go on.
 */
export class JumpingClock {
  readonly #startedAt = Date.now();
  #loggingIn = 0;
  #jumping: Promise<void> | undefined;

  constructor() {
    vi.useFakeTimers({ toFake: ['Date'], now: this.#startedAt });
  }

  get passedMs(): number {
    return Date.now() - this.#startedAt;
  }

  /** The same, except that logins wait while the clock jumps. */
  holding(iam: RdsIam): RdsIam {
    return {
      ...iam,
      connect: async (...login) => {
        while (this.#jumping) await this.#jumping;
        this.#loggingIn++;
        try {
          return await iam.connect(...login);
        } finally {
          this.#loggingIn--;
        }
      },
    };
  }

  /** Whether no login is under way. */
  isQuiet(): boolean {
    return this.#loggingIn === 0;
  }

  /** @param wait - waits until a condition is true */
  async jump(ms: number, wait: (condition: () => boolean) => Promise<void>): Promise<void> {
    const { promise, resolve } = withResolvers();
    this.#jumping = promise;
    await wait(() => this.isQuiet());
    vi.setSystemTime(Date.now() + ms);
    this.#jumping = undefined;
    resolve();
  }
}

function withResolvers() {
  let resolve = () => {};
  const promise = new Promise<void>((resolved) => {
    resolve = resolved;
  });
  return { promise, resolve };
}
