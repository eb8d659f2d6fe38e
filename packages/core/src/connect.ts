import { setMaxListeners } from 'node:events';
import { type Attempt, attemptOnce, ranOutOfTime } from './attempt.js';
import { type Classification, classify } from './classify.js';
import { diagnose } from './diagnosis.js';
import { publish } from './diagnostics.js';
import type { Endpoint } from './endpoint.js';
import type { Engine } from './engines/engine.js';
import { unnamed } from './engines/unnamed.js';
import { errorAt, isRdsIamError, RdsIamError } from './errors.js';
import { isLoginFailure } from './failure.js';
import type { ConnectContext, ConnectOptions, Login } from './login.js';
import { withoutSecrets } from './redaction.js';
import { type Failure, inLightOfHistory, nextDelayMs } from './retry.js';

/** The one way that every package opens a physical connection. */
export async function connect<T>(
  context: ConnectContext,
  endpoint: Endpoint,
  open: (login: Login) => Promise<T>,
  options: ConnectOptions = {},
): Promise<T> {
  const { signal, stopRetrying, timeoutMs, atMostMs = Number.POSITIVE_INFINITY, engine = unnamed } = options;
  const { now } = context;
  // All connections of a pool listen to its end, and there is no other number that is right.
  if (stopRetrying) setMaxListeners(0, stopRetrying);
  const about = { hostname: endpoint.hostname, port: endpoint.port, username: endpoint.username };
  const policy = {
    ...context.options.retryPolicy,
    timeoutMs: Math.min(timeoutMs ?? context.options.retryPolicy.timeoutMs, atMostMs),
  };
  const startedAt = now();
  const deadline = startedAt + policy.timeoutMs;
  const attempt: Attempt = { number: 1, startedAt, deadline, attemptTimeoutMs: policy.attemptTimeoutMs };
  /** What the final error tells of: the last failure that says something. */
  let told: { readonly failure: Failure; readonly error: unknown } | undefined;
  for (; ; attempt.number++) {
    attempt.startedAt = now();
    let error: unknown;
    try {
      const connection = await attemptOnce(context, endpoint, open, options, attempt);
      for (const at of [endpoint, attempt.target]) if (at) context.rememberLogin(at);
      attempt.leave?.succeeded();
      publish('rds-iam:connection:opened', () => ({
        ...about,
        attempts: attempt.number,
        durationMs: now() - startedAt,
      }));
      return connection;
    } catch (caught) {
      error = caught;
    }

    const failure = {
      ...judge(context, endpoint, engine, attempt, error),
      attempts: attempt.number,
      elapsedMs: now() - startedAt,
    };
    if (!told || !ranOutOfTime(attempt, error)) told = { failure, error };
    const stopped = () => signal?.aborted || stopRetrying?.aborted;
    const delayMs = stopped() ? undefined : nextDelayMs(failure, policy, context.random());
    publish('rds-iam:connection:attempt-failed', () => ({
      ...about,
      attempt: attempt.number,
      durationMs: now() - attempt.startedAt,
      code: failure.code,
      error: withoutSecrets(error),
      ...(delayMs !== undefined && { retryInMs: delayMs }),
    }));
    if (delayMs !== undefined) {
      await pause(context, delayMs, [signal, stopRetrying]);
      if (!stopped()) continue;
    }
    const { attempts, elapsedMs } = failure;
    const final = await giveUp(
      context,
      endpoint,
      engine,
      attempt,
      { ...told.failure, attempts, elapsedMs },
      told.error,
      options,
    );
    publish('rds-iam:connection:gave-up', () => ({ ...about, attempts, durationMs: now() - startedAt, error: final }));
    throw final;
  }
}

/** What an attempt's failure means, the end of the token that the server refused, and of the attempt's leave. */
function judge(
  context: ConnectContext,
  endpoint: Endpoint,
  engine: Engine,
  { target, token, leave }: Attempt,
  error: unknown,
): Classification {
  const classification = classify(error, engine);
  const isRefusal = target !== undefined && classification.kind === 'token-refused';
  if (isRefusal && token !== undefined) context.dropToken(target, token);
  const judged = inLightOfHistory(classification, context.loggedInBefore(isRefusal ? target : endpoint));
  if (judged.code === 'ERR_RDS_IAM_THROTTLED') leave?.refused();
  else if (judged.code === 'ERR_RDS_IAM_UNREACHABLE') leave?.brokenOff(error);
  else leave?.failed();
  return judged;
}

async function giveUp(
  context: ConnectContext,
  endpoint: Endpoint,
  engine: Engine,
  { target }: Attempt,
  failure: Failure,
  error: unknown,
  { signal, ssl }: ConnectOptions,
): Promise<RdsIamError> {
  const { attempts, elapsedMs, evidence } = failure;
  if (signal?.aborted) {
    const aborted = new RdsIamError('ERR_RDS_IAM_ABORTED', `connecting was stopped: ${evidence}`, { cause: error });
    return errorAt(endpoint, aborted, { attempts, elapsedMs });
  }
  // An error of our own already says what is wrong.
  if (isRdsIamError(error)) return errorAt(endpoint, error, { attempts, elapsedMs });
  const clockSkewMs = target && failure.kind === 'token-refused' ? await context.clockSkewMs(target) : undefined;
  const { clockOffsetMs } = context.options;
  const dialled = target?.hostname ?? endpoint.hostname;
  const trusted = target && failure.code === 'ERR_RDS_IAM_TLS' ? await context.trusted(ssl, target) : undefined;
  return diagnose(failure, { endpoint, engine, dialled, trusted, clockSkewMs, clockOffsetMs }, driverErrorOf(error));
}

/** Where an adapter had a name for what went wrong, `cause` is the error of its driver or of the server all the same. */
function driverErrorOf(error: unknown): unknown {
  const hasOne = isLoginFailure(error) && error.kind !== 'timed-out' && error.cause !== undefined;
  return hasOne ? error.cause : error;
}

/** Waits, or until one of the signals is aborted, whichever comes first. */
function pause(
  { after }: ConnectContext,
  delayMs: number,
  signals: readonly (AbortSignal | undefined)[],
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      callOff();
      for (const signal of signals) signal?.removeEventListener('abort', done);
      resolve();
    };
    const callOff = after(delayMs, done);
    for (const signal of signals) signal?.addEventListener('abort', done, { once: true });
  });
}
