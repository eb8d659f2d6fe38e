import type { Classification } from './classify.js';
import type { RetryPolicy } from './options.js';

export interface Failure extends Classification {
  /** How many attempts there have been, this one included. */
  readonly attempts: number;
  /** From the first attempt to now, in milliseconds. */
  readonly elapsedMs: number;
}

/** A time-out, and the name of the option that sets it. */
export interface Limit {
  readonly ms: number;
  readonly option: string;
}

/** How often to try what will probably not pass. */
const FEW = 3;
/** The default share of the deadline for retrying a refused login: the caller should hear of it before the deadline. */
const PATIENT_SHARE = 0.8;
/**
 * The longest waits after a first login was refused: after the first, the second, and every other refusal.
 *
 * Two early tries let a user with a wrong setup know within a second and a half. After that, throttled logins come back evenly
 * over a span that does not grow: a fleet of ten times what the server admits in a second tries at little more than that
 * rate, which falls by itself as its members get in. A span that starts small and doubles, or a wait with a fixed part, costs
 * more logins and is no quicker; a longer span makes small fleets wait for nothing. The table is in docs/throttling.md, made
 * by `pnpm bench fleetSimulation`.
 */
const REFUSED_WAITS_MS = [400, 900, 8_000] as const;
/** With less time than this left, another try has hardly any chance. */
const LEAST_LEFT_MS = 300;

/** How long a login may be tried that keeps being refused and has never succeeded, in milliseconds. */
export function patienceMs({ patienceMs: given, timeoutMs }: Pick<RetryPolicy, 'patienceMs' | 'timeoutMs'>): number {
  return Math.min(given ?? PATIENT_SHARE * timeoutMs, timeoutMs);
}

/**
 * The wait before the next attempt, in milliseconds, or undefined to give up.
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
 * What history adds to a failure. Servers use the same words for a wrong token and for too many logins. If the same user has
 * logged in before, the configuration is right and the refusal will pass. So will other failures that could be a wrong option:
 * a name that the DNS does not know or cannot follow, a source of credentials that has none.
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
