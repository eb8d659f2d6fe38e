import { abortable } from './abortable.js';
import { Admission, type Leave } from './admission.js';
import { publish } from './diagnostics.js';
import type { Endpoint } from './endpoint.js';
import type { Engine } from './engines/engine.js';
import { unnamed } from './engines/unnamed.js';
import { configError, isRdsIamError, RdsIamError } from './errors.js';
import { isLoginFailure, timedOut } from './failure.js';
import type { ConnectContext, ConnectOptions, Login, Target } from './login.js';

/** One attempt to open a physical connection, and what is known of it so far. */
export interface Attempt {
  number: number;
  startedAt: number;
  /** Of all attempts. */
  readonly deadline: number;
  readonly attemptTimeoutMs: number;
  /** The place in the order of those that want a connection, which all attempts share. */
  place?: number;
  target?: Target | undefined;
  token?: string | undefined;
  leave?: Leave | undefined;
  /** Whether the deadline of all attempts ended it, and not its own time. */
  cutShort?: boolean;
}

/**
 * Finds the endpoint, waits for leave, gets a token that is good then, and opens. The time of an attempt begins when it has
 * leave: to wait for that is no failure of the server's.
 */
export async function attemptOnce<T>(
  context: ConnectContext,
  endpoint: Endpoint,
  open: (login: Login) => Promise<T>,
  { signal, stopRetrying, ssl, engine = unnamed }: ConnectOptions,
  attempt: Attempt,
): Promise<T> {
  attempt.target = undefined;
  attempt.token = undefined;
  attempt.leave = undefined;
  attempt.cutShort = false;
  const target = await inTime(context, attempt, signal, async (until) => {
    const found = await abortable(context.target(endpoint), until);
    attempt.target = found;
    // All that may take its time comes before leave: those that had it would wait here, and then all go at once.
    await abortable(Promise.all([context.token(found), context.tls(ssl, found)]), until);
    return found;
  });

  const admission = admissionTo(context, target, engine);
  attempt.place ??= admission.takePlace();
  const stop = attempt.number > 1 ? [signal, stopRetrying] : [signal];
  attempt.leave = await admission.leave(attempt.place, attempt.deadline - context.now(), stop);
  const waitedMs = context.now() - attempt.startedAt;
  attempt.startedAt = context.now();

  return inTime(context, attempt, signal, async (until) => {
    const { token } = await abortable(context.token(target), until);
    attempt.token = token;
    const tls = await abortable(context.tls(ssl, target), until);
    const { hostname, port, username } = endpoint;
    publish('rds-iam:connection:admitted', () => ({
      hostname,
      port,
      username,
      dialled: target.hostname,
      attempt: attempt.number,
      waitedMs,
    }));
    const identity = context.identity(target.hostname, ssl);
    const session = context.session(tls, identity, port);
    return open({ hostname: target.hostname, port, username, token, tls, identity, session, signal: until });
  });
}

function admissionTo(context: ConnectContext, { hostname, port }: Target, engine: Engine): Admission {
  const key = `${hostname}:${port}`;
  const known = context.admissions.get(key);
  if (known) return known;
  const { limiter, maxWaitingConnections: maxWaiting, maxConnectionsPerSecond } = context.options;
  const perSecond = maxConnectionsPerSecond ?? engine.connectionsPerSecond;
  if (limiter && !Number.isFinite(perSecond)) {
    throw configError('limiter', 'shares a limit that is not there: give "maxConnectionsPerSecond", too');
  }
  const admission = new Admission(context, { hostname, port, perSecond, maxWaiting, limiter });
  context.admissions.set(key, admission);
  return admission;
}

/** Whether an attempt ended for want of time: it says less of what is wrong than the one before it. */
export function ranOutOfTime({ cutShort, target, leave }: Attempt, error: unknown): boolean {
  const waitedForLeave = target !== undefined && leave === undefined;
  return cutShort === true || (waitedForLeave && (isTimeout(error) || isNotAdmitted(error)));
}

function isTimeout(error: unknown): boolean {
  return isLoginFailure(error) && error.kind === 'timed-out';
}

function isNotAdmitted(error: unknown): boolean {
  return isRdsIamError(error) && error.code === 'ERR_RDS_IAM_ADMISSION';
}

/** Does a part of an attempt within its time and the deadline; the signal that the work gets is aborted when that is over. */
async function inTime<T>(
  { now, after }: ConnectContext,
  attempt: Attempt,
  outer: AbortSignal | undefined,
  work: (until: AbortSignal) => Promise<T>,
): Promise<T> {
  const control = new AbortController();
  const startedAt = now();
  const leftMs = attempt.deadline - startedAt;
  let isOver = false;
  const stop = () => control.abort(outer?.reason);
  const callOff = after(Math.min(attempt.attemptTimeoutMs, leftMs), () => {
    isOver = true;
    attempt.cutShort = leftMs < attempt.attemptTimeoutMs;
    control.abort();
  });
  if (outer?.aborted) stop();
  else outer?.addEventListener('abort', stop, { once: true });
  try {
    return await work(control.signal);
  } catch (error) {
    throw isOver ? timeoutError(now() - startedAt, attempt, error) : error;
  } finally {
    callOff();
    outer?.removeEventListener('abort', stop);
  }
}

function timeoutError(afterMs: number, { target, token }: Attempt, cause: unknown): Error {
  const timeout = timedOut(afterMs, cause);
  if (!target || token !== undefined) return timeout;
  // Signing takes no time: what was waited for is what to sign with.
  const message = `no AWS credentials: their source did not answer within ${Math.round(afterMs)} ms`;
  return new RdsIamError('ERR_RDS_IAM_CREDENTIALS', message, { cause: timeout, details: { kind: 'timed-out' } });
}
