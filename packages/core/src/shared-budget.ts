import type { Clock } from './clock.js';
import { publish } from './diagnostics.js';
import type { ConnectionLimiter } from './limiter.js';
import { OF_KNOWN_LIMIT } from './pace.js';
import { withoutSecrets } from './redaction.js';

/** How much is reserved at a time, in seconds' worth. More would keep other processes waiting for their turn. */
const AT_A_TIME_S = 0.05;
/**
 * A turn that is used later than this would come on top of other processes' turns, so a new one is requested. While nobody is
 * later, no second exceeds the limit, since this is the part of a second that the limit leaves unused.
 */
const LATE_MS = 1_000 * (1 - OF_KNOWN_LIMIT);
/** How late a timer may be when nothing is wrong. */
const TIMER_LATE_MS = 10;
/** How long to leave a limiter alone after it failed. */
const LEFT_ALONE_MS = 1_000;

/** When a connection may be opened. */
interface Turn {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** This process's part of a budget of connections per second that processes share. */
export class SharedBudget {
  readonly #clock: Clock;
  readonly #limiter: ConnectionLimiter;
  readonly #instance: { readonly hostname: string; readonly port: number };
  readonly #perSecond: number;
  readonly #onAnswer: () => void;
  #turns: readonly Turn[] = [];
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

  /** The limit that this process has to keep on its own: none while the limiter answers. */
  get ownLimit(): number {
    return this.#isLeftAlone() ? this.#perSecond * this.#limiter.shareWhenUnavailable : Number.POSITIVE_INFINITY;
  }

  /** How long until this process's next turn, in milliseconds; undefined while the limiter is being asked. */
  waitMs(wanted: number): number | undefined {
    if (this.#isLeftAlone()) return 0;
    const now = this.#clock.now();
    this.#turns = this.#turns.filter(({ untilMs }) => untilMs >= now);
    const [next] = this.#turns;
    if (next) return Math.max(0, next.fromMs - now);
    if (!this.#isAsking) this.#ask(Math.min(wanted, Math.max(1, Math.floor(this.#perSecond * AT_A_TIME_S))));
    return undefined;
  }

  use(): void {
    this.#turns = this.#turns.slice(1);
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
    // In a busy process, as at a cold start, timers run before an answer is read that arrived long ago.
    let cancel = this.#clock.after(this.#limiter.timeoutMs, () => {
      cancel = this.#clock.after(0, late);
    });
    const askedAtMs = this.#clock.now();
    const reserve = async () => this.#limiter.reserve({ ...this.#instance, connectionsPerSecond, count });
    reserve().then((delayMs) => {
      answered(() => {
        // The delay counts from some time between the request and its answer.
        const answeredAtMs = this.#clock.now();
        const roomMs = Math.max(TIMER_LATE_MS, LATE_MS - (answeredAtMs - askedAtMs));
        this.#turns = Array.from({ length: count }, (_, index) => {
          const fromMs = answeredAtMs + delayMs + (index * 1_000) / connectionsPerSecond;
          return { fromMs, untilMs: fromMs + roomMs };
        });
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
