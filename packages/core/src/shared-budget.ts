import type { Clock } from './clock.js';
import { publish } from './diagnostics.js';
import type { ConnectionLimiter } from './limiter.js';
import { OF_KNOWN_LIMIT } from './pace.js';
import { withoutSecrets } from './redaction.js';

/** Reserved at a time: what is opened in this part of a second. More would keep other processes waiting for their turn. */
const AT_A_TIME_S = 0.05;
/** A reservation that was not used so long is not used any more, lest it come on top of others'. */
const STALE_AFTER_MS = 1_000;
/** How long a limiter that failed is left alone. */
const LEFT_ALONE_MS = 1_000;

/** This process's part of a budget of connections per second that processes share. */
export class SharedBudget {
  readonly #clock: Clock;
  readonly #limiter: ConnectionLimiter;
  readonly #instance: { readonly hostname: string; readonly port: number };
  readonly #perSecond: number;
  readonly #onAnswer: () => void;
  #reservedAtMs: number[] = [];
  #isAsking = false;
  #leftAloneUntilMs = Number.NEGATIVE_INFINITY;

  constructor(
    clock: Clock,
    limiter: ConnectionLimiter,
    instance: { readonly hostname: string; readonly port: number },
    perSecond: number,
    onAnswer: () => void,
  ) {
    this.#clock = clock;
    this.#limiter = limiter;
    this.#instance = instance;
    this.#perSecond = perSecond;
    this.#onAnswer = onAnswer;
  }

  /** The limit that this process has to keep by itself: none while the limiter answers. */
  get ownLimit(): number {
    return this.#isLeftAlone() ? this.#perSecond * this.#limiter.shareWhenUnavailable : Number.POSITIVE_INFINITY;
  }

  /** How long until this process's next turn, in milliseconds; undefined while that is being asked. */
  waitMs(wanted: number): number | undefined {
    if (this.#isLeftAlone()) return 0;
    const now = this.#clock.now();
    this.#reservedAtMs = this.#reservedAtMs.filter((at) => at > now - STALE_AFTER_MS);
    const [next] = this.#reservedAtMs;
    if (next !== undefined) return Math.max(0, next - now);
    if (!this.#isAsking) this.#ask(Math.min(wanted, Math.max(1, Math.floor(this.#perSecond * AT_A_TIME_S))));
    return undefined;
  }

  use(): void {
    this.#reservedAtMs.shift();
  }

  #isLeftAlone(): boolean {
    return this.#clock.now() < this.#leftAloneUntilMs;
  }

  #ask(count: number): void {
    this.#isAsking = true;
    const connectionsPerSecond = Math.max(1, Math.floor(this.#perSecond * OF_KNOWN_LIMIT));
    let isWaitedFor = true;
    const answered = (answer: () => void) => {
      if (!isWaitedFor) return;
      isWaitedFor = false;
      cancel();
      this.#isAsking = false;
      answer();
      this.#onAnswer();
    };
    const failed = (error: unknown) => answered(() => this.#leaveAlone(error));
    const late = () => failed(new Error(`no answer within ${this.#limiter.timeoutMs} ms`));
    // A process that was busy, as at a cold start, has timers run before it reads an answer that has been there for long.
    let cancel = this.#clock.after(this.#limiter.timeoutMs, () => {
      cancel = this.#clock.after(0, late);
    });
    const reserve = async () => this.#limiter.reserve({ ...this.#instance, connectionsPerSecond, count });
    reserve().then((delayMs) => {
      answered(() => {
        const first = this.#clock.now() + delayMs;
        this.#reservedAtMs = Array.from(
          { length: count },
          (_, index) => first + (index * 1_000) / connectionsPerSecond,
        );
      });
    }, failed);
  }

  #leaveAlone(error: unknown): void {
    this.#leftAloneUntilMs = this.#clock.now() + LEFT_ALONE_MS;
    publish('rds-iam:limiter:unavailable', () => ({
      ...this.#instance,
      connectionsPerSecond: this.ownLimit,
      error: withoutSecrets(error),
    }));
  }
}
