interface Flight<T> {
  readonly number: number;
  readonly fresh: boolean;
  readonly startedAt: number;
  readonly result: Promise<T>;
}

/** A longer flight is no longer joined, so that a provider that hangs does not hang everybody forever. */
const STALLED_AFTER_MS = 30_000;

/** Runs work once at a time however many ask for it, and never lets a late result replace a newer one. */
export class SingleFlight<T> {
  readonly #now: () => number;
  readonly #keep: ((value: T) => void) | undefined;
  #flight: Flight<T> | undefined;
  #started = 0;
  #kept = 0;

  /** @param keep - called with each result that is newer than all before */
  constructor(now: () => number, keep?: (value: T) => void) {
    this.#now = now;
    this.#keep = keep;
  }

  get running(): boolean {
    return this.#flight !== undefined;
  }

  /** @param fresh - do not join a flight that was started for callers who would also accept an older value */
  run(start: () => Promise<T>, { fresh = false }: { readonly fresh?: boolean } = {}): Promise<T> {
    const current = this.#flight;
    if (current && (current.fresh || !fresh) && this.#now() - current.startedAt < STALLED_AFTER_MS) {
      return current.result;
    }
    const number = ++this.#started;
    const flight: Flight<T> = { number, fresh, startedAt: this.#now(), result: this.#fly(number, start) };
    this.#flight = flight;
    return flight.result;
  }

  async #fly(number: number, start: () => Promise<T>): Promise<T> {
    try {
      const value = await start();
      if (number > this.#kept) {
        this.#kept = number;
        this.#keep?.(value);
      }
      return value;
    } finally {
      if (this.#flight?.number === number) this.#flight = undefined;
    }
  }
}
