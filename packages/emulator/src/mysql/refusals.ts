// How MySQL refuses a login, in its words and RDS's own.
// https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
import type { ProtocolError } from '@rds-iam/wire';
import { type ErrorReport, encodeError } from '@rds-iam/wire/mysql';
import { internalErrorMessage, Refusal, type RefusalReason } from '../refusal.js';

const refusal = (reason: RefusalReason, report: ErrorReport): Refusal => new Refusal(reason, encodeError(report));

/** The user and host, as MySQL prints them. */
export interface Who {
  readonly username: string;
  readonly address: string;
}

const accessDenied = ({ username, address }: Who, usingPassword: boolean): ErrorReport => ({
  code: 1045,
  sqlState: '28000',
  message: `Access denied for user '${username}'@'${address}' (using password: ${usingPassword ? 'YES' : 'NO'})`,
});

/** RDS's only answer to a token that it does not accept. */
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

/** For an account that requires TLS: refused like any other, after the password has arrived. */
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

/** For a client from before plugins, which cannot be asked for a password in clear; one from before 4.1 gets no SQLSTATE. */
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

/** The database behind the emulator is out of reach: the error of a server that is shutting down, and the reason. */
export const upstreamUnreachable = (detail: string): Refusal =>
  refusal('upstream', {
    code: 1053,
    sqlState: '08S01',
    message: `Server shutdown in progress (rds-iam emulator: ${detail})`,
  });

/** The emulator cannot log in to the database behind it: its setup is wrong, so the message is its own. */
export const upstreamLoginFailed = (message: string): Refusal =>
  refusal('upstream', { code: 1251, sqlState: '08004', message: `rds-iam emulator: ${message}` });

/** The upstream refused a login that we had accepted. */
export const upstreamRefused = (error: Buffer): Refusal => new Refusal('upstream', error);

/** An internal error of the emulator, or of a function that its user passed in. */
export const internalError = (error: unknown): Buffer =>
  encodeError({ code: 1105, sqlState: 'HY000', message: internalErrorMessage(error) });
