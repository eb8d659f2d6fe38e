import type { Request } from './attempt.js';
import type { ConnectContext } from './context.js';
import { likelyCauses } from './diagnosis.js';
import { publish } from './diagnostics.js';
import type { RetryPolicy } from './options.js';
import { type Failure, patienceMs } from './retry.js';
import type { Target } from './targets.js';

/** This many refusals in a row are worth a warning: fewer can be bad luck. */
const WORTH_A_WARNING = 3;

/**
 * Tells a user with a wrong setup what is going on while a first login is retried: with a process warning and an event, once
 * for each endpoint and user.
 */
export function warnOfRefusals<T>(
  { clockSkew, history, options }: ConnectContext,
  { endpoint, engine }: Request<T>,
  policy: RetryPolicy,
  failure: Failure,
  target: Target | undefined,
): void {
  if (failure.retry !== 'while-patient' || failure.attempts < WORTH_A_WARNING || !target) return;
  if (!history.isToBeWarnedOf(endpoint)) return;
  const { hostname, port, username } = endpoint;
  const retryForMs = patienceMs(policy) - failure.elapsedMs;
  const circumstances = { endpoint, engine, phase: 'login', dialed: target.hostname } as const;
  const { clockOffsetMs } = options;
  const causes = likelyCauses(failure, { ...circumstances, clockSkewMs: clockSkew.known, clockOffsetMs });
  // Asked now, so that nobody has to wait for the answer when this login is given up.
  clockSkew.within(retryForMs, target.region);
  publish('rds-iam:connection:refused-repeatedly', () => ({
    ...{ hostname, port, username, attempts: failure.attempts, causes, retryForMs },
  }));
  const lines = [
    `${hostname}:${port} has refused ${failure.attempts} logins as "${username}", a user that has not logged in before: ${failure.evidence}. Retrying for another ${secondsOf(retryForMs)}, because throttled logins are refused in the same words; to fail at the first refusal, set "retry.patienceMs" to 0. Likely causes:`,
    ...causes.map((cause, index) => `  ${index + 1}. ${cause}`),
  ];
  process.emitWarning(lines.join('\n'), { type: 'RdsIamWarning', code: 'RDS_IAM_LOGIN_REFUSED' });
}

function secondsOf(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}
