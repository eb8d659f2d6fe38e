import type { RdsIam } from '@rds-iam/core';
import { vi } from 'vitest';

/**
 * The process's clock, which stands still but when it is told to jump. Nobody logs in meanwhile: no real clock jumps, and
 * the deadlines of logins count by it. Statements and transactions go on.
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

  /** The same, with logins that wait while the clock jumps. */
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

  /** Whether nobody is logging in. */
  isQuiet(): boolean {
    return this.#loggingIn === 0;
  }

  /** @param wait - waits until something has come about */
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
