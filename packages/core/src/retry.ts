import type { Classification } from './classify.js';
import type { RetryPolicy } from './options.js';

export interface Failure extends Classification {
  /** How many attempts there have been, this one included. */
  readonly attempts: number;
  /** From the first attempt to now, in milliseconds. */
  readonly elapsedMs: number;
}

/** A time-out, and the option that it is known by. */
export interface Limit {
  readonly ms: number;
  readonly option: string;
}

/** How many times something is tried that will more likely not pass. */
const FEW = 3;
/** The default share of the deadline that a refused login is retried for: the caller should hear before the deadline. */
const PATIENT_SHARE = 0.8;
/**
 * The longest waits after a first login was refused: after the first, the second, and every other refusal.
 *
 * Two early tries tell a user with a wrong setup within a second and a half. What is throttled then comes
 * back evenly over a span that does not grow: a fleet of ten times what the server admits in a second presses in at little
 * more than that rate, and the rate falls by itself as its members get in. A span that begins small and doubles, or that
 * keeps a part of each wait fixed, costs more logins and is no quicker; a longer one keeps small fleets waiting for nothing.
 * The table is in docs/throttling.md; `pnpm bench fleetSimulation` makes it.
 */
const REFUSED_WAITS_MS = [400, 900, 8_000] as const;
/** With less time than this left, another try has hardly a chance. */
const LEAST_LEFT_MS = 300;

/** How long a login may be tried that is refused and never succeeded, in milliseconds. */
export function patienceMs({ patienceMs: given, timeoutMs }: Pick<RetryPolicy, 'patienceMs' | 'timeoutMs'>): number {
  return Math.min(given ?? PATIENT_SHARE * timeoutMs, timeoutMs);
}

/**
 * How long to wait before the next attempt, in milliseconds, or undefined to give up.
 *
 * Full jitter, as in AWS's "Exponential Backoff And Jitter": many clients that fail at the same moment spread evenly over
 * the whole wait, where equal or no jitter would bring them back together.
 *
 * @param random - from 0 to 1, 1 excluded
 */
export function nextDelayMs(failure: Failure, policy: RetryPolicy, random: number): number | undefined {
  const { retry, attempts, elapsedMs } = failure;
  if (!policy.enabled || retry === 'never') return undefined;
  if (retry === 'few-times' && attempts >= FEW) return undefined;
  if (retry === 'while-patient') {
    const leftMs = patienceMs(policy) - elapsedMs;
    const longest = REFUSED_WAITS_MS[Math.min(attempts, REFUSED_WAITS_MS.length) - 1] ?? 0;
    return leftMs < LEAST_LEFT_MS ? undefined : random * Math.min(longest, leftMs);
  }
  const longest = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (attempts - 1));
  const delayMs = random * longest;
  return elapsedMs + delayMs < policy.timeoutMs ? delayMs : undefined;
}

/**
 * What history adds to a failure. The servers use the same words for a wrong token and for too many logins; where the
 * same user logged in before, the configuration is right and the refusal will pass. So will what could as well be a wrong
 * option: a DNS that does not know the name or where it leads, a source of credentials that has none.
 */
export function inLightOfHistory(classification: Classification, loggedInBefore: boolean): Classification {
  const { kind, retry, code } = classification;
  if (!loggedInBefore) return classification;
  if (kind === 'token-refused') return { ...classification, code: 'ERR_RDS_IAM_THROTTLED', retry: 'until-deadline' };
  const passes =
    retry === 'few-times' ||
    retry === 'while-patient' ||
    code === 'ERR_RDS_IAM_CREDENTIALS' ||
    code === 'ERR_RDS_IAM_REGION';
  return passes ? { ...classification, retry: 'until-deadline' } : classification;
}
