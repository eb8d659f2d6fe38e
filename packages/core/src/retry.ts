import type { Classification } from './classify.js';
import type { RetryPolicy } from './options.js';

export interface Failure extends Classification {
  /** How many attempts there have been, this one included. */
  readonly attempts: number;
  /** From the first attempt to now, in milliseconds. */
  readonly elapsedMs: number;
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
  if (!policy.enabled || failure.retry === 'never') return undefined;
  if (failure.retry === 'few-times' && failure.attempts >= policy.maxRefusals) return undefined;
  const longest = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (failure.attempts - 1));
  const delayMs = random * longest;
  return failure.elapsedMs + delayMs < policy.timeoutMs ? delayMs : undefined;
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
  const passes = retry === 'few-times' || code === 'ERR_RDS_IAM_CREDENTIALS' || code === 'ERR_RDS_IAM_REGION';
  return passes ? { ...classification, retry: 'until-deadline' } : classification;
}
