// How MySQL refuses a login, in its words and RDS's own.
// https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
import type { ProtocolError } from '@rds-iam/wire';
import { type ErrorReport, encodeError } from '@rds-iam/wire/mysql';
import { internalErrorMessage, Refusal, type RefusalReason } from '../refusal.js';

const refusal = (reason: RefusalReason, report: ErrorReport): Refusal => new Refusal(reason, encodeError(report));

/** Who wants in, as MySQL prints it. */
export interface Who {
  readonly username: string;
  readonly address: string;
}

const accessDenied = ({ username, address }: Who, usingPassword: boolean): ErrorReport => ({
  code: 1045,
  sqlState: '28000',
  message: `Access denied for user '${username}'@'${address}' (using password: ${usingPassword ? 'YES' : 'NO'})`,
});

/** RDS's one answer to every token that it does not take. */
export const tokenRefused = (reason: RefusalReason, who: Who): Refusal => refusal(reason, accessDenied(who, true));

/** RDS Proxy's answer when it throttles. */
export const proxyThrottled = (): Refusal =>
  refusal('throttled', { code: 1040, sqlState: '08004', message: 'IAM authentication rate limit exceeded' });

export const emptyPassword = (who: Who): Refusal => refusal('malformed', accessDenied(who, false));

/** A user without IAM whom the upstream lets in with an empty password. */
export const noPassword = (who: Who): Refusal => refusal('static-password', accessDenied(who, false));

export const plaintextRefused = (): Refusal =>
  refusal('plaintext', {
    code: 3159,
    sqlState: 'HY000',
    message: 'Connections using insecure transport are prohibited while --require_secure_transport=ON.',
  });

/** An account that requires TLS: refused like any other, and only when the password has come. */
export const plaintextTokenRefused = (who: Who, usingPassword: boolean): Refusal =>
  refusal('plaintext', accessDenied(who, usingPassword));

export const badHandshake = (): Refusal =>
  refusal('protocol', { code: 1043, sqlState: '08S01', message: 'Bad handshake' });

const outOfOrder = (): Refusal =>
  refusal('protocol', { code: 1156, sqlState: '08S01', message: 'Got packets out of order' });

const packetTooLarge = (): Refusal =>
  refusal('protocol', {
    code: 1153,
    sqlState: '08S01',
    message: "Got a packet bigger than 'max_allowed_packet' bytes",
  });

/** A client from before plugins, which cannot be asked for a password in clear; one from before 4.1 gets no SQLSTATE. */
export const clientTooOld = (sqlState: '08004' | '' = '08004'): Refusal =>
  refusal('protocol', {
    code: 1251,
    sqlState,
    message: 'Client does not support authentication protocol requested by server; consider upgrading MySQL client',
  });

/** The client breaks the protocol. */
export function brokenProtocol({ kind }: ProtocolError): Refusal {
  switch (kind) {
    case 'length':
      return packetTooLarge();
    case 'sequence':
      return outOfOrder();
    case 'version':
      return clientTooOld('');
    default:
      return badHandshake();
  }
}

/** The database behind the emulator is out of reach: what a server that goes down would say, and why. */
export const upstreamUnreachable = (detail: string): Refusal =>
  refusal('upstream', {
    code: 1053,
    sqlState: '08S01',
    message: `Server shutdown in progress (rds-iam emulator: ${detail})`,
  });

/** The emulator cannot log in to the database behind it: a mistake in its set-up, so in words of its own. */
export const upstreamLoginFailed = (message: string): Refusal =>
  refusal('upstream', { code: 1251, sqlState: '08004', message: `rds-iam emulator: ${message}` });

/** The upstream refused a login that was good enough for us. */
export const upstreamRefused = (error: Buffer): Refusal => new Refusal('upstream', error);

/** A fault of the emulator's own, or of a function that its user gave it. */
export const internalError = (error: unknown): Buffer =>
  encodeError({ code: 1105, sqlState: 'HY000', message: internalErrorMessage(error) });
