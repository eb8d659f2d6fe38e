// How PostgreSQL refuses a login, in its words and RDS's own.
import type { ProtocolError } from '@rds-iam/wire';
import { ErrorField, encodeErrorResponse } from '@rds-iam/wire/postgres';
import { internalErrorMessage, Refusal, type RefusalReason } from '../refusal.js';

/** The fields of an ErrorResponse of severity FATAL. */
interface ErrorReport {
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
  readonly file: string;
  readonly line: number;
  readonly routine: string;
}

/** In PostgreSQL's order. */
function encodeError({ code, message, detail, file, line, routine }: ErrorReport): Buffer {
  return encodeErrorResponse(
    new Map([
      [ErrorField.localizedSeverity, 'FATAL'],
      [ErrorField.severity, 'FATAL'],
      [ErrorField.sqlState, code],
      [ErrorField.message, message],
      ...(detail === undefined ? [] : ([[ErrorField.detail, detail]] as const)),
      [ErrorField.file, file],
      [ErrorField.line, String(line)],
      [ErrorField.routine, routine],
    ]),
  );
}

const refusal = (reason: RefusalReason, report: ErrorReport): Refusal => new Refusal(reason, encodeError(report));

const authentication = (code: string, message: string, line: number, routine = 'auth_failed'): ErrorReport => ({
  code,
  message,
  file: 'auth.c',
  line,
  routine,
});

/** RDS's only answer to a token that it does not accept. */
export const tokenRefused = (reason: RefusalReason, username: string): Refusal =>
  refusal(reason, authentication('28000', `PAM authentication failed for user "${username}"`, 333));

/** RDS Proxy's answer when it throttles. Its SQLSTATE is not documented; 28000 is ours. */
export const proxyThrottled = (): Refusal =>
  refusal(
    'throttled',
    authentication('28000', 'The IAM authentication failed because of too many competing requests.', 333),
  );

export const passwordRefused = (username: string): Refusal =>
  refusal('static-password', authentication('28P01', `password authentication failed for user "${username}"`, 333));

export const emptyPassword = (): Refusal =>
  refusal('malformed', authentication('28P01', 'empty password returned by client', 765, 'recv_password_packet'));

export function plaintextRefused(address: string, parameters: ReadonlyMap<string, string>): Refusal {
  const username = parameters.get('user') ?? '';
  const who =
    parameters.get('replication') === 'true' // a physical replication connection names no database
      ? `replication connection from host "${address}", user "${username}"`
      : `host "${address}", user "${username}", database "${parameters.get('database') || username}"`;
  return refusal(
    'plaintext',
    authentication('28000', `no pg_hba.conf entry for ${who}, no encryption`, 536, 'ClientAuthentication'),
  );
}

/** The startup packet is wrong, and PostgreSQL says how. */
const badStartup = (code: string, message: string, detail?: string): Refusal =>
  refusal('protocol', {
    code,
    message,
    ...(detail === undefined ? {} : { detail }),
    file: 'backend_startup.c',
    line: 850,
    routine: 'ProcessStartupPacket',
  });

/** The first packets break the protocol. For a wrong length, PostgreSQL only logs it and hangs up. */
export function badFirstPacket({ kind }: ProtocolError): Refusal {
  switch (kind) {
    case 'layout':
      return badStartup('08P01', 'invalid startup packet layout: expected terminator as last byte');
    case 'encoding':
      return badStartup('22021', 'invalid byte sequence for encoding "UTF8" in the startup packet');
    default:
      return new Refusal('protocol');
  }
}

export const noUser = (): Refusal => badStartup('28000', 'no PostgreSQL user name specified in startup packet');

const NEWEST_MINOR = 2;

/** PostgreSQL's error for an unsupported version, and for a request for encryption that is out of place. */
export const unsupportedVersion = (version: number): Refusal =>
  badStartup(
    '0A000',
    `unsupported frontend protocol ${version >>> 16}.${version & 0xffff}: server supports 3.0 to 3.${NEWEST_MINOR}`,
  );

/** Bytes that came in clear before TLS began may be an attacker's: CVE-2021-23214. */
export const earlyBytes = (request: 'SSL' | 'GSSAPI encryption'): Refusal =>
  badStartup(
    '08P01',
    `received unencrypted data after ${request} request`,
    'This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.',
  );

/** The client's answer is wrong. */
export const badPassword = (message: string): Refusal =>
  refusal('protocol', authentication('08P01', message, 711, 'recv_password_packet'));

/** The database behind the emulator is out of reach: the error of a server that restarts, with the reason in the detail. */
export const upstreamUnreachable = (detail: string): Refusal =>
  refusal('upstream', {
    code: '57P03',
    message: 'the database system is starting up',
    detail: `rds-iam emulator: ${detail}`,
    file: 'backend_startup.c',
    line: 300,
    routine: 'BackendInitialize',
  });

/** The emulator cannot log in to the database behind it: its setup is wrong, so the message is its own. */
export const upstreamLoginFailed = (message: string): Refusal =>
  refusal('upstream', {
    code: '08004',
    message: `rds-iam emulator: ${message}`,
    file: 'upstream.ts',
    line: 1,
    routine: 'logIn',
  });

/** The upstream refused a login whose token was good. */
export const upstreamRefused = (message: Buffer): Refusal => new Refusal('upstream', message);

/** An internal error of the emulator, or of a function that its user passed in. */
export const internalError = (error: unknown): Buffer =>
  encodeError({ code: 'XX000', message: internalErrorMessage(error), file: 'login.ts', line: 1, routine: 'serve' });
