// Counts logins against the limit of a throttle fault.
import { createHash } from 'node:crypto';

const WINDOW_MS = 1000;

/** At most `limit` admissions in any second. */
export class RateWindow {
  readonly #limit: number;
  #admittedAtMs: number[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  admit(nowMs: number): boolean {
    this.#admittedAtMs = this.#admittedAtMs.filter((at) => at > nowMs - WINDOW_MS && at <= nowMs);
    if (this.#admittedAtMs.length >= this.#limit) return false;
    this.#admittedAtMs.push(nowMs);
    return true;
  }
}

/** The accepted tokens, by hash. Only valid ones are kept, so that it stays small. */
export class AcceptedTokens {
  readonly #expirationMs = new Map<string, number>();
  #distinct = 0;

  /** How many different tokens there have been. */
  get distinct(): number {
    return this.#distinct;
  }

  has(token: string): boolean {
    return this.#expirationMs.has(hash(token));
  }

  add(token: string, expirationMs: number, nowMs: number): void {
    const key = hash(token);
    if (this.#expirationMs.has(key)) return;
    // In the order of arrival, which is nearly that of expiry: stop at the first that is still valid.
    for (const [old, end] of this.#expirationMs) {
      if (end >= nowMs) break;
      this.#expirationMs.delete(old);
    }
    this.#expirationMs.set(key, expirationMs);
    this.#distinct += 1;
  }
}

const hash = (token: string): string => createHash('sha256').update(token).digest('base64');
