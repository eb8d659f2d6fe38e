import type { Clock } from './clock.js';
import { SingleFlight } from './single-flight.js';

/** Long enough for a healthy network; a login that is being given up should not wait for a blocked one. */
const LONGEST_WAIT_MS = 1_000;
/** How long an answer is reused; the same goes for the lack of one. */
const FRESH_MS = 60_000;

/** AWS's clock minus ours: asked once for all logins that were refused, and never past their deadlines. */
export class ClockSkew {
  readonly #clock: Clock;
  readonly #ask: (region: string) => Promise<number | undefined>;
  readonly #flight: SingleFlight<number | undefined>;
  #known: { readonly skewMs: number | undefined; readonly at: number } | undefined;

  constructor(clock: Clock, ask: (region: string) => Promise<number | undefined>) {
    this.#clock = clock;
    this.#ask = ask;
    this.#flight = new SingleFlight(
      () => clock.now(),
      (skewMs) => {
        this.#known = { skewMs, at: clock.now() };
      },
    );
  }

  /** The last answer; undefined if there is none. */
  get known(): number | undefined {
    return this.#known?.skewMs;
  }

  /** In milliseconds; undefined if AWS does not answer in that time. Never rejects. */
  async within(timeMs: number, region: string | undefined): Promise<number | undefined> {
    if (this.#known && this.#clock.now() - this.#known.at < FRESH_MS) return this.#known.skewMs;
    if (region === undefined || timeMs <= 0) return undefined;
    const answer = this.#flight.run(() => this.#ask(region).catch(() => undefined));
    return new Promise((resolve) => {
      const cancel = this.#clock.after(Math.min(timeMs, LONGEST_WAIT_MS), () => resolve(undefined));
      answer.then((skewMs) => {
        cancel();
        resolve(skewMs);
      });
    });
  }
}
