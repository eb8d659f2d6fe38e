// How fast connections to one database instance may be opened. Pure arithmetic, with times in milliseconds and rates per second.
//
// Spacing uses the generic cell rate algorithm (a leaky bucket as virtual scheduling): one number says when the next
// connection is due, so it is smooth, needs no timer, and can say exactly when a caller's turn comes. A window or a token
// bucket, as in rate limiting libraries, admits a whole second's worth at once and then nothing.
//
// An unknown limit is found by AIMD, as in TCP: cut at once to what the server was seen to admit, then creep up until it
// refuses again. Clients need not know of each other, and those that all do this share the limit. The adaptive limiter of the
// AWS SDK (CUBIC) is similar, but waits with timers and a clock of its own, keeps no order, cannot be aborted, and starts
// without a limit: ten times the limit at once would be refused before it learned anything.

/** The share of a known limit that is used: connections that are sent evenly do not arrive evenly. */
export const OF_KNOWN_LIMIT = 0.95;
/** The share of a known limit that may be opened at once after a pause: small pools should not notice that there is a limit. */
const AT_ONCE = 0.05;
/** This long without a connection is a pause: a second that was used evenly has nothing left for a burst. */
const PAUSE_MS = 1_000;
/** A connection that starts this late still counts from when it was due: otherwise the lateness of timers would add up. */
const LATE_MS = 20;
/** The share of the rate that the server was seen to admit that remains after a refusal. */
const AFTER_REFUSAL = 0.9;
/** Added for each second after a cut, and again for its square: slow near the limit, yet soon back where it was. */
const CREEP_SHARE = 0.05;
/** After this long a cut is forgotten. */
const FORGOTTEN_AFTER_MS = 60_000;
/** A lower limit is not believed: it is somebody else's load or an outage, which the backoff is for. */
const LEAST_RATE = 10;

export interface Pace {
  /** The rate after the last refusal, from which it creeps up; infinite until something is refused. */
  readonly slowedTo: number;
  readonly slowedAtMs: number;
  /** When the next connection is due at an even spacing. */
  readonly dueMs: number;
  /** How many may start before they are due; what they borrow is paid back before any others start. */
  readonly atOnce: number;
}

export const UNPACED: Pace = {
  slowedTo: Number.POSITIVE_INFINITY,
  slowedAtMs: 0,
  dueMs: Number.NEGATIVE_INFINITY,
  atOnce: 0,
};

/** The rate that applies now, capped by the known limit (infinite if there is none). */
export function rateAt({ slowedTo, slowedAtMs }: Pace, limit: number, nowMs: number): number {
  const seconds = (nowMs - slowedAtMs) / 1_000;
  const crept =
    nowMs - slowedAtMs > FORGOTTEN_AFTER_MS
      ? Number.POSITIVE_INFINITY
      : slowedTo * (1 + CREEP_SHARE * (seconds + seconds ** 2));
  return Math.min(limit * OF_KNOWN_LIMIT, crept);
}

/** How long until the next connection may be opened. */
export function waitMs({ dueMs, atOnce }: Pace, nowMs: number): number {
  return atOnce > 0 ? 0 : Math.max(0, dueMs - nowMs);
}

/** The pace after a connection was started. */
export function afterOpening(pace: Pace, limit: number, nowMs: number): Pace {
  const rate = rateAt(pace, limit, nowMs);
  const paused = nowMs - pace.dueMs >= PAUSE_MS;
  // Bursts are for known limits only: one that is being found must not be exceeded.
  const most = rate < limit * OF_KNOWN_LIMIT ? 0 : Math.floor(limit * AT_ONCE);
  return {
    ...pace,
    dueMs: (nowMs - pace.dueMs < LATE_MS ? pace.dueMs : nowMs) + spacingMs(rate),
    atOnce: paused ? most : Math.max(0, Math.min(most, pace.atOnce - 1)),
  };
}

/**
 * The pace after the server refused a connection because there are too many.
 *
 * @param admittedAtMs - when the connections of the last second were admitted, the oldest first; not empty
 */
export function afterRefusal(pace: Pace, limit: number, admittedAtMs: readonly number[], nowMs: number): Pace {
  const admitted = Math.min(admittedAtMs.length, rateAt(pace, limit, nowMs));
  const slowedTo = Math.max(LEAST_RATE, admitted * AFTER_REFUSAL);
  // The connections admitted within the last second count until that second is over.
  const usedUpMs = (admittedAtMs[0] ?? nowMs) + admittedAtMs.length * spacingMs(slowedTo);
  return { slowedTo, slowedAtMs: nowMs, dueMs: Math.max(nowMs + spacingMs(slowedTo), usedUpMs), atOnce: 0 };
}

function spacingMs(rate: number): number {
  return 1_000 / rate;
}
