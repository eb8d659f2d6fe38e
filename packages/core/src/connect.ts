import { setMaxListeners } from 'node:events';
import type { ConnectionOptions } from 'node:tls';
import type { Admission } from './admission.js';
import { type Attempt, attemptOnce, ranOutOfTime } from './attempt.js';
import { type Classification, classify } from './classify.js';
import { diagnose } from './diagnosis.js';
import { publish } from './diagnostics.js';
import type { Endpoint } from './endpoint.js';
import { errorAt, isRdsIamError, RdsIamError, withoutSecrets } from './errors.js';
import type { CheckedOptions } from './options.js';
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

export type Engine = 'postgres' | 'mysql';

export interface ConnectOptions {
  /** What is behind the endpoint: how many connections per second it admits differs. */
  readonly engine?: Engine;
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
  readonly options: Pick<
    CheckedOptions,
    'retryPolicy' | 'maxConnectionsPerSecond' | 'maxWaitingConnections' | 'limiter' | 'clockOffsetMs'
  >;
  /** By host name and port. */
  readonly admissions: Map<string, Admission>;
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
  loggedInBefore(endpoint: Endpoint): boolean;
  rememberLogin(endpoint: Endpoint): void;
  clockSkewMs(target: Target): Promise<number | undefined>;
}

/** The one way that every package opens a physical connection. */
export async function connect<T>(
  context: ConnectContext,
  endpoint: Endpoint,
  open: (login: Login) => Promise<T>,
  options: ConnectOptions = {},
): Promise<T> {
  const { signal, stopRetrying, timeoutMs, atMostMs = Number.POSITIVE_INFINITY } = options;
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
      ...judge(context, endpoint, attempt, error),
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
      attempt,
      { ...told.failure, attempts, elapsedMs },
      told.error,
      signal,
    );
    publish('rds-iam:connection:gave-up', () => ({ ...about, attempts, durationMs: now() - startedAt, error: final }));
    throw final;
  }
}

/** What an attempt's failure means, the end of the token that the server refused, and of the attempt's leave. */
function judge(
  context: ConnectContext,
  endpoint: Endpoint,
  { target, token, leave }: Attempt,
  error: unknown,
): Classification {
  const classification = classify(error);
  const isRefusal = target !== undefined && classification.hint === 'token-refused';
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
  const { clockOffsetMs } = context.options;
  const dialled = target?.hostname ?? endpoint.hostname;
  return diagnose(failure, { endpoint, dialled, clockSkewMs, clockOffsetMs }, error);
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
