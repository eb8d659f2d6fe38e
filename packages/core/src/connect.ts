import type { ConnectionOptions } from 'node:tls';
import { abortable } from './abortable.js';
import { type Classification, classify } from './classify.js';
import { diagnose } from './diagnosis.js';
import { publish } from './diagnostics.js';
import type { Endpoint } from './endpoint.js';
import { errorAt, isRdsIamError, RdsIamError, withoutSecrets } from './errors.js';
import type { RetryPolicy } from './options.js';
import { type Failure, inLightOfHistory, nextDelayMs } from './retry.js';
import type { DriverTls, PeerSession } from './tls.js';
import type { AuthToken } from './tokens.js';

/** All that a driver needs to open one physical connection. */
export interface Login {
  /** The host to dial: the RDS endpoint that the configured name stands for. */
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  /** The password. Write it only to a socket that `assertVerifiedPeer(socket, login.identity)` has passed. */
  readonly token: string;
  /** For `tls.connect`, or for the driver's own TLS option. */
  readonly tls: ConnectionOptions;
  /** The name or address that the server's certificate has to be made out to. */
  readonly identity: string;
  /** For a driver whose TLS is ours: the session with this peer, to be resumed. */
  readonly session: PeerSession;
  /** Aborted when this attempt has to end; `open` then closes what it opened and rejects. */
  readonly signal: AbortSignal;
}

export interface ConnectOptions {
  /** Ends everything at once. */
  readonly signal?: AbortSignal;
  /** Once aborted, an attempt under way may finish but no other follows: for a pool that drains. */
  readonly stopRetrying?: AbortSignal;
  /** The driver's own TLS options, to be merged with what IAM demands. */
  readonly ssl?: DriverTls;
  /** The driver's own deadline over all attempts, in milliseconds, in place of that of the retry options. */
  readonly timeoutMs?: number;
  /** How long the framework above waits, in milliseconds: no deadline over all attempts is longer. */
  readonly atMostMs?: number;
}

/** Where the token is for and whom the certificate must name. */
export interface Target extends Endpoint {
  readonly region: string | undefined;
}

export interface ConnectContext {
  readonly retryPolicy: RetryPolicy;
  now(): number;
  random(): number;
  /** Calls back after a time, in milliseconds; returns how to call it off. */
  after(delayMs: number, callback: () => void): () => void;
  target(endpoint: Endpoint): Promise<Target>;
  token(target: Target): Promise<AuthToken>;
  tls(ssl: DriverTls): Promise<ConnectionOptions>;
  identity(hostname: string, ssl: DriverTls): string;
  session(tls: ConnectionOptions, identity: string, port: number): PeerSession;
  dropToken(target: Target, token: string): void;
  loggedInBefore(target: Target): boolean;
  rememberLogin(target: Target): void;
  clockSkewMs(target: Target): Promise<number | undefined>;
}

interface Attempt {
  readonly number: number;
  target?: Target;
  token?: string;
}

/** The one way that every package opens a physical connection. */
export async function connect<T>(
  context: ConnectContext,
  endpoint: Endpoint,
  open: (login: Login) => Promise<T>,
  { signal, stopRetrying, ssl, timeoutMs, atMostMs = Number.POSITIVE_INFINITY }: ConnectOptions = {},
): Promise<T> {
  const { now } = context;
  const about = { hostname: endpoint.hostname, port: endpoint.port, username: endpoint.username };
  const policy = {
    ...context.retryPolicy,
    timeoutMs: Math.min(timeoutMs ?? context.retryPolicy.timeoutMs, atMostMs),
  };
  const startedAt = now();
  for (let attempts = 1; ; attempts++) {
    const attemptedAt = now();
    const attempt: Attempt = { number: attempts };
    const limitMs = Math.min(policy.attemptTimeoutMs, startedAt + policy.timeoutMs - attemptedAt);
    const bound = boundBy(context, signal, limitMs);
    let error: unknown;
    try {
      const connection = await openOnce(context, endpoint, open, ssl, attempt, bound.signal);
      if (attempt.target) context.rememberLogin(attempt.target);
      publish('rds-iam:connection:opened', () => ({ ...about, attempts, durationMs: now() - startedAt }));
      return connection;
    } catch (caught) {
      error = bound.timedOut() ? timeoutError(now() - attemptedAt, caught) : caught;
    } finally {
      bound.release();
    }

    const failure = { ...judge(context, attempt, error), attempts, elapsedMs: now() - startedAt };
    const stopped = () => signal?.aborted || stopRetrying?.aborted;
    const delayMs = stopped() ? undefined : nextDelayMs(failure, policy, context.random());
    publish('rds-iam:connection:attempt-failed', () => ({
      ...about,
      attempt: attempts,
      durationMs: now() - attemptedAt,
      code: failure.code,
      error: withoutSecrets(error),
      ...(delayMs !== undefined && { retryInMs: delayMs }),
    }));
    if (delayMs !== undefined) {
      await pause(context, delayMs, [signal, stopRetrying]);
      if (!stopped()) continue;
    }
    const final = await giveUp(context, endpoint, attempt, failure, error, signal);
    publish('rds-iam:connection:gave-up', () => ({ ...about, attempts, durationMs: now() - startedAt, error: final }));
    throw final;
  }
}

/** What an attempt's failure means, and the end of the token that the server refused. */
function judge(context: ConnectContext, { target, token }: Attempt, error: unknown): Classification {
  const classification = classify(error);
  if (!target || classification.hint !== 'token-refused') return classification;
  if (token !== undefined) context.dropToken(target, token);
  return inLightOfHistory(classification, context.loggedInBefore(target));
}

async function giveUp(
  context: ConnectContext,
  endpoint: Endpoint,
  { target }: Attempt,
  failure: Failure,
  error: unknown,
  signal: AbortSignal | undefined,
): Promise<RdsIamError> {
  const { attempts, elapsedMs, evidence } = failure;
  if (signal?.aborted) {
    const aborted = new RdsIamError('ERR_RDS_IAM_ABORTED', `connecting was stopped: ${evidence}`, { cause: error });
    return errorAt(endpoint, aborted, { attempts, elapsedMs });
  }
  // An error of our own already says what is wrong.
  if (isRdsIamError(error)) return errorAt(endpoint, error, { attempts, elapsedMs });
  const clockSkewMs = target && failure.hint === 'token-refused' ? await context.clockSkewMs(target) : undefined;
  return diagnose(failure, { endpoint, dialled: target?.hostname ?? endpoint.hostname, clockSkewMs }, error);
}

async function openOnce<T>(
  context: ConnectContext,
  endpoint: Endpoint,
  open: (login: Login) => Promise<T>,
  ssl: DriverTls,
  attempt: Attempt,
  signal: AbortSignal,
): Promise<T> {
  const target = await abortable(context.target(endpoint), signal);
  attempt.target = target;
  const { token } = await abortable(context.token(target), signal);
  attempt.token = token;
  const tls = await abortable(context.tls(ssl), signal);
  const { hostname, port, username } = endpoint;
  const { number } = attempt;
  publish('rds-iam:connection:admitted', () => ({
    hostname,
    port,
    username,
    dialled: target.hostname,
    attempt: number,
  }));
  const identity = context.identity(target.hostname, ssl);
  const session = context.session(tls, identity, port);
  return open({ hostname: target.hostname, port, username, token, tls, identity, session, signal });
}

function boundBy({ after }: ConnectContext, outer: AbortSignal | undefined, limitMs: number) {
  const control = new AbortController();
  let timedOut = false;
  const stop = () => control.abort(outer?.reason);
  const callOff = after(limitMs, () => {
    timedOut = true;
    control.abort();
  });
  if (outer?.aborted) stop();
  else outer?.addEventListener('abort', stop, { once: true });
  return {
    signal: control.signal,
    timedOut: () => timedOut,
    release() {
      callOff();
      outer?.removeEventListener('abort', stop);
    },
  };
}

function timeoutError(afterMs: number, cause: unknown): Error {
  return Object.assign(new Error(`no answer within ${Math.round(afterMs)} ms`, { cause }), { code: 'ETIMEDOUT' });
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
