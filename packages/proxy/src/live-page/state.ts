/** What a live page shows: numbers, a chart by the second, and tables. Nothing in it is secret. */
export interface LiveState {
  readonly title: string;
  /** A single word, such as `ready` or `draining`. */
  readonly status: string;
  readonly tiles: readonly { readonly name: string; readonly value: string }[];
  readonly chart: {
    readonly caption: string;
    /** The last minute, oldest first. */
    readonly seconds: readonly { readonly good: number; readonly bad: number }[];
    /** The limit per second, if there is one. */
    readonly limit: number | undefined;
  };
  readonly tables: readonly LiveTable[];
}

/** A table of a live page. */
export interface LiveTable {
  readonly caption: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly LiveCell[])[];
  /** The text to show if there are no rows. */
  readonly none: string;
}

/** A text, or a fraction (0 to 1) with a text, which is drawn as a bar. */
type LiveCell = string | { readonly share: number; readonly text: string };

const SECONDS = 60;
const TOKEN_LIFETIME_MS = 15 * 60_000;

/** Counts successes and failures by the second for the last minute. */
export class LastMinute {
  readonly #now: () => number;
  readonly #good = new Array<number>(SECONDS).fill(0);
  readonly #bad = new Array<number>(SECONDS).fill(0);
  #second: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#second = Math.floor(now() / 1_000);
  }

  /** Adds one to the current second. */
  count(outcome: 'good' | 'bad'): void {
    this.#forward();
    const counts = outcome === 'good' ? this.#good : this.#bad;
    const at = this.#second % SECONDS;
    counts[at] = (counts[at] ?? 0) + 1;
  }

  /** Oldest first. */
  get seconds(): LiveState['chart']['seconds'] {
    this.#forward();
    return Array.from({ length: SECONDS }, (_, index) => {
      const at = (this.#second + 1 + index) % SECONDS;
      return { good: this.#good[at] ?? 0, bad: this.#bad[at] ?? 0 };
    });
  }

  #forward(): void {
    const second = Math.floor(this.#now() / 1_000);
    for (let next = Math.max(this.#second + 1, second - SECONDS + 1); next <= second; next++) {
      this.#good[next % SECONDS] = 0;
      this.#bad[next % SECONDS] = 0;
    }
    this.#second = Math.max(this.#second, second);
  }
}

/** A duration for people. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** How much of a token's life has passed. */
export function tokenAge(ageMs: number): LiveCell {
  return ageMs > TOKEN_LIFETIME_MS
    ? `expired, ${duration(ageMs)} old`
    : { share: Math.max(0, ageMs) / TOKEN_LIFETIME_MS, text: `${duration(ageMs)} old, of 15 min` };
}
