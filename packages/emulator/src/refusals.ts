// How a login is refused: the reason that we keep, and the words that the client gets, which are PostgreSQL's and RDS's own.
import { TOKEN_REFUSALS } from './token.js';

/**
 * Why a connection was refused, as counted in {@link EmulatorStats.refused}: a token's own faults (`malformed` to
 * `not-authorized`), then
 * - `throttled`: over {@link ThrottleFault.connectionsPerSecond}, denied or reset
 * - `plaintext`: a login without TLS
 * - `static-password`: a user without `rds_iam` whom the upstream did not ask for a password
 * - `protocol`: a message that breaks the protocol
 * - `timeout`: the login took longer than {@link EmulatorOptions.authenticationTimeoutMs}
 * - `upstream`: the upstream was out of reach, or refused a login whose token was good
 */
export type RefusalReason = (typeof REFUSAL_REASONS)[number];
export const REFUSAL_REASONS = [
  ...TOKEN_REFUSALS,
  'throttled',
  'plaintext',
  'static-password',
  'protocol',
  'timeout',
  'upstream',
] as const;

/** The fields of an ErrorResponse of severity FATAL. */
export interface ErrorReport {
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
  readonly file: string;
  readonly line: number;
  readonly routine: string;
}

/**
 * Ends a login. The client gets our report, or the upstream's own message as it came; with neither the connection is
 * closed and nothing is said, as PostgreSQL does where it only logs.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  constructor(
    readonly reason: RefusalReason,
    readonly answer?: ErrorReport | Buffer,
  ) {
    super(reason);
  }
}

const authentication = (code: string, message: string, line: number, routine = 'auth_failed'): ErrorReport => ({
  code,
  message,
  file: 'auth.c',
  line,
  routine,
});

/** RDS's one answer to every token that it does not take. */
export const tokenRefused = (reason: RefusalReason, username: string): Refusal =>
  new Refusal(reason, authentication('28000', `PAM authentication failed for user "${username}"`, 333));

/** RDS Proxy's answer when it throttles. Its SQLSTATE is not documented; 28000 is ours. */
export const proxyThrottled = (): Refusal =>
  new Refusal(
    'throttled',
    authentication('28000', 'The IAM authentication failed because of too many competing requests.', 333),
  );

export const passwordRefused = (username: string): Refusal =>
  new Refusal('static-password', authentication('28P01', `password authentication failed for user "${username}"`, 333));

export const emptyPassword = (): Refusal =>
  new Refusal('malformed', authentication('28P01', 'empty password returned by client', 765, 'recv_password_packet'));

export function plaintextRefused(address: string, parameters: ReadonlyMap<string, string>): Refusal {
  const username = parameters.get('user') ?? '';
  const who =
    parameters.get('replication') === 'true' // a physical replication connection names no database
      ? `replication connection from host "${address}", user "${username}"`
      : `host "${address}", user "${username}", database "${parameters.get('database') || username}"`;
  return new Refusal(
    'plaintext',
    authentication('28000', `no pg_hba.conf entry for ${who}, no encryption`, 536, 'ClientAuthentication'),
  );
}

/** The startup packet was read and is wrong: PostgreSQL says so. */
export const badStartup = (code: string, message: string, detail?: string): Refusal =>
  new Refusal('protocol', {
    code,
    message,
    ...(detail === undefined ? {} : { detail }),
    file: 'backend_startup.c',
    line: 850,
    routine: 'ProcessStartupPacket',
  });

/** The answer to a login was read and is wrong. */
export const badPassword = (message: string): Refusal =>
  new Refusal('protocol', authentication('08P01', message, 711, 'recv_password_packet'));

/** The framing is wrong: PostgreSQL logs it and hangs up. */
export const badFraming = (): Refusal => new Refusal('protocol');

/** The database behind the emulator is out of reach: what a server that restarts would say, and why in the detail. */
export const upstreamUnreachable = (detail: string): Refusal =>
  new Refusal('upstream', {
    code: '57P03',
    message: 'the database system is starting up',
    detail: `rds-iam emulator: ${detail}`,
    file: 'backend_startup.c',
    line: 300,
    routine: 'BackendInitialize',
  });

/** The emulator cannot log in to the database behind it: a mistake in its set-up, so in words of its own. */
export const upstreamLoginFailed = (message: string): Refusal =>
  new Refusal('upstream', {
    code: '08004',
    message: `rds-iam emulator: ${message}`,
    file: 'upstream.ts',
    line: 1,
    routine: 'logIn',
  });

/** The upstream refused a login whose token was good. */
export const upstreamRefused = (message: Buffer): Refusal => new Refusal('upstream', message);

/** A fault of the emulator's own, or of a function that its user gave it. */
export const internalError = (error: unknown): ErrorReport => ({
  code: 'XX000',
  message: `rds-iam emulator: ${error instanceof Error ? error.name : typeof error} while logging in`,
  file: 'login.ts',
  line: 1,
  routine: 'serve',
});
