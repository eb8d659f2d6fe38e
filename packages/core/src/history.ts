import { BoundedMap, keyOf } from './bounded-map.js';
import type { Clock } from './clock.js';
import type { Endpoint } from './endpoint.js';

/** An older login says nothing about a refusal now: the grant or the policy may be gone. */
const LOGIN_COUNTS_FOR_MS = 3_600_000;

/** The outcome of earlier logins, each remembered for some time. */
export class History {
  readonly #clock: Clock;
  readonly #loggedInAtMs = new BoundedMap<number>();
  readonly #warnedOf = new BoundedMap<true>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  loggedIn(endpoint: Endpoint): void {
    this.#loggedInAtMs.set(keyOf(endpoint), this.#clock.now());
  }

  /** Whether this user logged in there recently, so that a refusal will pass. */
  hasLoggedIn(endpoint: Endpoint): boolean {
    const at = this.#loggedInAtMs.get(keyOf(endpoint));
    return at !== undefined && this.#clock.now() - at < LOGIN_COUNTS_FOR_MS;
  }

  /** Whether a warning is due that this user's first login keeps being refused; true only once. */
  isToBeWarnedOf(endpoint: Endpoint): boolean {
    const key = keyOf(endpoint);
    const isNew = this.#warnedOf.get(key) === undefined;
    if (isNew) this.#warnedOf.set(key, true);
    return isNew;
  }

  /** The user was refused until the time ran out, from `sinceMs` on: only a login after that still counts. */
  wasRefusedSince(endpoint: Endpoint, sinceMs: number): void {
    const key = keyOf(endpoint);
    if ((this.#loggedInAtMs.get(key) ?? sinceMs) < sinceMs) this.#loggedInAtMs.delete(key);
  }
}
