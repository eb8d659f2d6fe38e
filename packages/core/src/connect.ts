import { setMaxListeners } from 'node:events';
import { attemptOnce, type FailedAttempt, type Request } from './attempt.js';
import { type Classification, classify } from './classify.js';
import type { Clock } from './clock.js';
import type { ConnectContext } from './context.js';
import { diagnose } from './diagnosis.js';
import { publish } from './diagnostics.js';
import type { Endpoint } from './endpoint.js';
import { unnamed } from './engines/unnamed.js';
import { errorAt, isRdsIamError, RdsIamError } from './errors.js';
import { isLoginFailure } from './failure.js';
import type { ConnectOptions, Login } from './login.js';
import type { RetryPolicy } from './options.js';
import { withoutSecrets } from './redaction.js';
import { warnOfRefusals } from './refusal-warning.js';
import { type Failure, inLightOfHistory, type Limit, nextDelayMs } from './retry.js';

/** The last failure that is worth reporting: the final error is about this one. */
interface Told {
  readonly failure: Failure;
  readonly attempt: FailedAttempt;
}

/** The one way that every package opens a physical connection. */
export async function connect<T>(
  context: ConnectContext,
  endpoint: Endpoint,
  open: (login: Login) => Promise<T>,
  options: ConnectOptions<T> = {},
): Promise<T> {
  const { clock } = context;
  const { retryPolicy } = context.options;
  const { signal, stopRetrying, ssl, engine = unnamed } = options;
  // Every connection of a pool listens for the pool's end, so no other limit would be right.
  if (stopRetrying) setMaxListeners(0, stopRetrying);
  const limit = limitOf(options, retryPolicy);
  const policy = { ...retryPolicy, timeoutMs: limit.ms };
  const startedAt = clock.now();
  const request: Request<T> = {
    ...{ endpoint, open, engine, ssl, signal, stopRetrying },
    discard: options.discard ?? closeLate,
    deadline: startedAt + policy.timeoutMs,
    attemptTimeoutMs: policy.attemptTimeoutMs,
  };
  const about = { hostname: endpoint.hostname, port: endpoint.port, username: endpoint.username };
  const isStopped = () => signal?.aborted || stopRetrying?.aborted;
  let told: Told | undefined;
  let ticket: number | undefined;

  for (let number = 1; ; number++) {
    const attempt = await attemptOnce(context, request, number, ticket);
    ticket = attempt.ticket;
    if (!('error' in attempt)) {
      for (const at of [endpoint, attempt.target]) if (at) context.history.loggedIn(at);
      attempt.permit?.succeeded();
      publish('rds-iam:connection:opened', () => ({
        ...about,
        attempts: number,
        durationMs: clock.now() - startedAt,
      }));
      return attempt.connection;
    }

    const elapsedMs = clock.now() - startedAt;
    const failure: Failure = { ...judge(context, request, attempt), attempts: number, elapsedMs };
    if (!told || !attempt.cutShort) told = { failure, attempt };
    const delayMs = isStopped() ? undefined : nextDelayMs(failure, policy, context.random());
    publish('rds-iam:connection:attempt-failed', () => ({
      ...about,
      attempt: number,
      durationMs: clock.now() - attempt.startedAt,
      code: failure.code,
      error: withoutSecrets(attempt.error),
      ...(delayMs !== undefined && { retryInMs: delayMs }),
    }));
    if (delayMs !== undefined) {
      warnOfRefusals(context, request, policy, failure, attempt.target);
      await pause(clock, delayMs, [signal, stopRetrying]);
      if (!isStopped()) continue;
    }
    if (failure.kind === 'token-refused' && attempt.target) {
      context.history.wasRefusedSince(attempt.target, startedAt);
    }
    const last = { ...told, failure: { ...told.failure, attempts: number, elapsedMs } };
    const bound = isTimeout(stopRetrying?.reason) ? limit : isStopped() ? undefined : boundOf(last, policy, limit);
    const final = await giveUp(context, request, bound, last);
    publish('rds-iam:connection:gave-up', () => ({
      ...about,
      attempts: number,
      durationMs: clock.now() - startedAt,
      error: final,
    }));
    throw final;
  }
}

/** The time-out that comes first, under the name of the option that sets it. */
function limitOf<T>(
  { timeoutMs, timeoutOption = 'timeoutMs', atMostMs, atMostOption = 'atMostMs' }: ConnectOptions<T>,
  retryPolicy: RetryPolicy,
): Limit {
  const own = timeoutMs === undefined ? undefined : { ms: timeoutMs, option: timeoutOption };
  const limit = own ?? { ms: retryPolicy.timeoutMs, option: 'retry.timeoutMs' };
  return atMostMs !== undefined && atMostMs < limit.ms ? { ms: atMostMs, option: atMostOption } : limit;
}

/** The time-out that ended all attempts, if one did. A refused first login has its own, by default a part of the other. */
function boundOf({ failure, attempt }: Told, { patienceMs }: RetryPolicy, limit: Limit): Limit | undefined {
  const { retry, attempts } = failure;
  if (attempt.cutShort) return limit;
  if (attempts === 1 || (retry !== 'until-deadline' && retry !== 'while-patient')) return undefined;
  const isOwn = retry === 'while-patient' && patienceMs !== undefined && patienceMs < limit.ms;
  return isOwn ? { ms: patienceMs, option: 'retry.patienceMs' } : limit;
}

/** Whether an adapter stopped because its driver or framework had waited long enough. */
function isTimeout(reason: unknown): boolean {
  return isLoginFailure(reason) && reason.kind === 'timed-out';
}

/** What a failed attempt means; drops whatever it used that may be to blame. */
function judge<T>(
  { tokens, credentials, history }: ConnectContext,
  { endpoint, engine }: Request<T>,
  { error, target, token, session, permit }: FailedAttempt,
): Classification {
  const classification = classify(error, engine);
  const isRefusal = target !== undefined && classification.kind === 'token-refused';
  if (isRefusal && token !== undefined && tokens.drop(target, token)) credentials.doubt();
  session?.forget();
  const judged = inLightOfHistory(classification, history.hasLoggedIn(isRefusal ? target : endpoint));
  if (judged.code === 'ERR_RDS_IAM_THROTTLED') permit?.refused();
  else if (judged.code === 'ERR_RDS_IAM_UNREACHABLE') permit?.dropped(error);
  else permit?.failed();
  return judged;
}

async function giveUp<T>(
  { clock, clockSkew, peers, options }: ConnectContext,
  { endpoint, engine, ssl, signal, deadline }: Request<T>,
  bound: Limit | undefined,
  { failure, attempt: { error, target, phase } }: Told,
): Promise<RdsIamError> {
  const { attempts, elapsedMs, evidence } = failure;
  if (signal?.aborted) {
    const aborted = new RdsIamError('ERR_RDS_IAM_ABORTED', `connecting was aborted: ${evidence}`, { cause: error });
    return errorAt(endpoint, aborted, { attempts, elapsedMs, phase });
  }
  // An error of our own already says what is wrong.
  if (isRdsIamError(error)) {
    return errorAt(endpoint, error, { attempts, elapsedMs, phase }, bound && ` ("${bound.option}" ran out)`);
  }
  const isRefused = failure.kind === 'token-refused';
  const clockSkewMs = isRefused ? await clockSkew.within(deadline - clock.now(), target?.region) : undefined;
  const dialed = target?.hostname ?? endpoint.hostname;
  const { clockOffsetMs } = options;
  const trusted = target && failure.code === 'ERR_RDS_IAM_TLS' ? await peers.trusted(ssl, target) : undefined;
  const circumstances = { endpoint, engine, phase, dialed, trusted, bound, clockSkewMs, clockOffsetMs };
  return diagnose(failure, circumstances, driverErrorOf(error));
}

/** `cause` is the error of the driver or the server, even if the adapter has a kind for what went wrong. */
function driverErrorOf(error: unknown): unknown {
  const hasOne = isLoginFailure(error) && error.kind !== 'timed-out' && error.cause !== undefined;
  return hasOne ? error.cause : error;
}

/** Closes what a driver opened too late, by whichever of the usual methods it has. */
function closeLate(late: unknown): void {
  const { destroy, end, close } = (late ?? {}) as Partial<Record<'destroy' | 'end' | 'close', () => unknown>>;
  const way = [destroy, end, close].find((method) => typeof method === 'function');
  // Nobody is waiting for the result.
  new Promise((resolve) => resolve(way?.call(late))).catch(() => {});
}

/** Waits for the delay, or until one of the signals is aborted, whichever comes first. */
function pause(clock: Clock, delayMs: number, signals: readonly (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      for (const signal of signals) signal?.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(delayMs, done);
    for (const signal of signals) signal?.addEventListener('abort', done, { once: true });
  });
}
