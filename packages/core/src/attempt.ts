import type { Permit } from './admission.js';
import type { ConnectContext } from './context.js';
import { publish } from './diagnostics.js';
import type { Endpoint } from './endpoint.js';
import type { Engine } from './engines/engine.js';
import { isRdsIamError, RdsIamError } from './errors.js';
import { isLoginFailure, LoginFailure } from './failure.js';
import { inTime } from './in-time.js';
import type { Login, Phase } from './login.js';
import type { PeerTls } from './peers.js';
import type { Target } from './targets.js';
import { type DriverTls, expectedIdentity, type PeerSession } from './tls.js';
import type { AuthToken } from './tokens.js';

interface Wanted {
  readonly endpoint: Endpoint;
  readonly ssl: DriverTls;
}

/** A request for one physical connection: the same for all attempts to open it. */
export interface Request<T> extends Wanted {
  readonly open: (login: Login) => Promise<T>;
  readonly engine: Engine;
  readonly signal: AbortSignal | undefined;
  readonly stopRetrying: AbortSignal | undefined;
  readonly discard: (late: T) => void;
  /** The deadline of all attempts, by the clock. */
  readonly deadline: number;
  readonly attemptTimeoutMs: number;
}

/** How far an attempt got. */
interface Progress {
  /** The step that it was in last. */
  readonly phase: Phase;
  /** When it got its permit; until then, when it began. */
  readonly startedAt: number;
  /** Its ticket for the queue, which the next attempt uses again. */
  readonly ticket?: number;
  readonly target?: Target;
  readonly token?: string;
  readonly session?: PeerSession;
  readonly permit?: Permit;
}

interface OpenedAttempt<T> extends Progress {
  readonly connection: T;
}

/** Node.js truncates both the time at which a timer starts and its delay to whole milliseconds, so it can fire this early. */
const TIMER_EARLY_MS = 2;

export interface FailedAttempt extends Progress {
  readonly error: unknown;
  /** Whether the deadline of all attempts ended it; the attempt before then says more about what is wrong. */
  readonly cutShort: boolean;
}

export type Attempt<T> = OpenedAttempt<T> | FailedAttempt;

/** What a login needs before it gets a permit: otherwise everybody with one would wait here and then connect all at once. */
interface Prepared {
  readonly target: Target;
  readonly token: AuthToken;
  readonly tls: PeerTls;
}

/**
 * Finds the endpoint, waits for a permit, gets a token that is valid then, and opens the connection. An attempt is timed from
 * its permit, because waiting for that is not the server's fault. Never rejects.
 *
 * @param ticket - the ticket of the attempt before
 */
export async function attemptOnce<T>(
  context: ConnectContext,
  request: Request<T>,
  number: number,
  ticket: number | undefined,
): Promise<Attempt<T>> {
  const { clock } = context;
  const { endpoint, signal, stopRetrying, deadline, engine } = request;
  const progress: Progress = { phase: 'endpoint', startedAt: clock.now(), ...(ticket !== undefined && { ticket }) };
  const reach = (further: Partial<Progress>) => void Object.assign(progress, further);
  try {
    signal?.throwIfAborted();
    const preparing = prepare(context, request, reach);
    const { target } =
      preparing instanceof Promise ? await limited(context, request, progress, () => preparing) : preparing;

    const admission = context.admissions.to(target, engine);
    const ownTicket = ticket ?? admission.takeTicket();
    reach({ phase: 'admission', ticket: ownTicket });
    const askedAt = clock.now();
    const asked = admission.permit(ownTicket, deadline - askedAt, number > 1 ? [signal, stopRetrying] : [signal]);
    const permit = asked instanceof Promise ? await asked : asked;
    const waitedMs = clock.now() - progress.startedAt;
    reach({ permit, phase: 'dial', startedAt: clock.now() });

    const connection = await limited(
      context,
      request,
      progress,
      async (until) => {
        // The token and the TLS context from before the wait may have expired.
        const now = prepareFor(target, context, request.ssl, reach);
        const { token, tls } = now instanceof Promise ? await now : now;
        const identity = expectedIdentity(target.hostname, request.ssl);
        const session = tls.sessionWith(identity, target.port);
        reach({ phase: 'dial', session });
        publish('rds-iam:connection:admitted', () => ({
          ...{ hostname: endpoint.hostname, port: endpoint.port, username: endpoint.username },
          dialed: target.hostname,
          attempt: number,
          waitedMs,
        }));
        return request.open({
          hostname: target.hostname,
          port: target.port,
          dial: context.options.dial,
          username: target.username,
          token: token.token,
          tls: tls.options,
          identity,
          session,
          signal: until,
          reached: (phase) => reach({ phase }),
        });
      },
      request.discard,
    );
    return { ...progress, connection };
  } catch (error) {
    return { ...progress, error, cutShort: clock.now() >= deadline - TIMER_EARLY_MS && isForWantOfTime(error) };
  }
}

/** Synchronous if everything is known, as it is for all logins but the first. */
function prepare(
  context: ConnectContext,
  { endpoint, ssl }: Wanted,
  reach: (further: Partial<Progress>) => void,
): Prepared | Promise<Prepared> {
  const target = context.targets.of(endpoint);
  if (target instanceof Promise) return target.then((found) => prepareFor(found, context, ssl, reach));
  return prepareFor(target, context, ssl, reach);
}

function prepareFor(
  target: Target,
  { tokens, peers }: ConnectContext,
  ssl: DriverTls,
  reach: (further: Partial<Progress>) => void,
): Prepared | Promise<Prepared> {
  reach({ target, phase: 'credentials' });
  const token = tokens.get(target);
  const tls = peers.tls(ssl, target);
  if (token instanceof Promise || tls instanceof Promise) {
    return Promise.all([token, tls]).then(([signed, made]) => {
      reach({ token: signed.token });
      return { target, token: signed, tls: made };
    });
  }
  reach({ token: token.token });
  return { target, token, tls };
}

/** Runs a part of an attempt within the attempt's time-out and the deadline. */
function limited<T>(
  { clock }: ConnectContext,
  { endpoint, deadline, attemptTimeoutMs, signal }: Omit<Request<T>, 'discard' | 'open'>,
  progress: Progress,
  work: (until: AbortSignal) => Promise<T>,
  discard?: (late: T) => void,
): Promise<T> {
  const withinMs = Math.min(attemptTimeoutMs, Math.max(0, deadline - clock.now()));
  return inTime(
    {
      ...{ clock, withinMs, stop: signal, discard },
      outOfTime: (cause) => timeoutIn(progress.phase, endpoint.hostname, withinMs, cause),
    },
    work,
  );
}

/** Says what the attempt was waiting for in each phase. */
function timeoutIn(phase: Phase, hostname: string, withinMs: number, cause: unknown): Error {
  const time = `within ${Math.round(withinMs)} ms`;
  const failed = (what: string) => new LoginFailure('timed-out', `${what} ${time}`, { cause });
  switch (phase) {
    case 'endpoint':
      return new RdsIamError(
        'ERR_RDS_IAM_ENDPOINT',
        `the CNAME look-up of "${hostname}" got no answer ${time}: check this machine's DNS resolver or, if the name is not a CNAME, set "resolveCname" to false`,
        { cause: failed('no answer from the DNS'), details: { kind: 'timed-out' } },
      );
    case 'credentials':
      return new RdsIamError('ERR_RDS_IAM_CREDENTIALS', `no AWS credentials: their source did not answer ${time}`, {
        cause: failed('no AWS credentials'),
        details: { kind: 'timed-out' },
      });
    case 'tls':
      return failed(`no TLS`);
    case 'login':
      return failed('no answer to the login');
    default:
      return failed('no connection');
  }
}

function isForWantOfTime(error: unknown): boolean {
  if (isRdsIamError(error)) return error.code === 'ERR_RDS_IAM_ADMISSION' || error.kind === 'timed-out';
  return isLoginFailure(error) && error.kind === 'timed-out';
}
