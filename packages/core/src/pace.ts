// How fast connections to one database instance may be opened. Pure arithmetic: times in milliseconds, rates per second.
//
// Spacing is the generic cell rate algorithm (a leaky bucket as virtual scheduling): one number says when the next
// connection is due, so that it is smooth, needs no timer, and can be told exactly when somebody's turn comes. A window or a
// token bucket, as rate limiting libraries have, admits a whole second's worth at once and then nothing.
//
// Finding an unknown limit is AIMD, as TCP does: cut at once to what the server was seen to admit, then creep up until it
// refuses again. It needs to know no other client, and shares a limit among those that do the same. The adaptive limiter of
// the AWS SDK (CUBIC) is similar, but waits with timers and a clock of its own, has no order and no abort, and begins
// without a limit: ten times the limit at once would be refused before it learned anything.

/** The share of a known limit that is used: what is sent evenly does not arrive so. */
export const OF_KNOWN_LIMIT = 0.95;
/** The share of a known limit that may be opened at once, after a pause: small pools should not notice that there is one. */
const AT_ONCE = 0.05;
/** Without a connection for so long it is a pause: in a second that was used evenly, nothing is left for more at once. */
const PAUSE_MS = 1_000;
/** A connection that is let go this late still counts from when it was due: else the lateness of timers would add up. */
const LATE_MS = 20;
/** What a refusal leaves of the rate that the server was seen to admit. */
const AFTER_REFUSAL = 0.9;
/** What is added for each second after a cut, and again for its square: slowly about the limit, and soon back where it was. */
const CREEP_SHARE = 0.05;
/** A cut is forgotten after so long. */
const FORGOTTEN_AFTER_MS = 60_000;
/** A limit below this is not believed: it is somebody else's load, or an outage, for which there is the backoff. */
const LEAST_RATE = 10;

export interface Pace {
  /** The rate that the last refusal left, from then on creeping up; infinite while nothing was refused. */
  readonly slowedTo: number;
  readonly slowedAtMs: number;
  /** When the next connection is due, if they come evenly. */
  readonly dueMs: number;
  /** How many need not wait until they are due: what they take ahead is paid back before the others go on. */
  readonly atOnce: number;
}

export const UNPACED: Pace = {
  slowedTo: Number.POSITIVE_INFINITY,
  slowedAtMs: 0,
  dueMs: Number.NEGATIVE_INFINITY,
  atOnce: 0,
};

/** The rate that holds now, of which the known limit (infinite where none is) is the most. */
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

/** The pace after a connection was let go. */
export function afterOpening(pace: Pace, limit: number, nowMs: number): Pace {
  const rate = rateAt(pace, limit, nowMs);
  const paused = nowMs - pace.dueMs >= PAUSE_MS;
  // Only a known limit may be used at once: the other one is found by not overstepping it.
  const most = rate < limit * OF_KNOWN_LIMIT ? 0 : Math.floor(limit * AT_ONCE);
  return {
    ...pace,
    dueMs: (nowMs - pace.dueMs < LATE_MS ? pace.dueMs : nowMs) + spacingMs(rate),
    atOnce: paused ? most : Math.max(0, Math.min(most, pace.atOnce - 1)),
  };
}

/**
 * The pace after the server refused a connection for there being too many.
 *
 * @param admittedAtMs - when the connections of the last second were admitted, the oldest first; not empty
 */
export function afterRefusal(pace: Pace, limit: number, admittedAtMs: readonly number[], nowMs: number): Pace {
  const admitted = Math.min(admittedAtMs.length, rateAt(pace, limit, nowMs));
  const slowedTo = Math.max(LEAST_RATE, admitted * AFTER_REFUSAL);
  // What was admitted within the last second is used up until that second is over.
  const usedUpMs = (admittedAtMs[0] ?? nowMs) + admittedAtMs.length * spacingMs(slowedTo);
  return { slowedTo, slowedAtMs: nowMs, dueMs: Math.max(nowMs + spacingMs(slowedTo), usedUpMs), atOnce: 0 };
}

function spacingMs(rate: number): number {
  return 1_000 / rate;
}
