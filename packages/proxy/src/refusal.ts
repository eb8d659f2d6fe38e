import { isRdsIamError, type RdsIamError } from '@rds-iam/core';
import { isProtocolError } from '@rds-iam/wire';
import type { ProxyTarget } from './options.js';

/** Why a client was not let in. */
export const REFUSAL_REASONS = [
  /** It does not speak the protocol of the database behind the port. */
  'protocol',
  /** It came without TLS, which is required. */
  'plaintext',
  /** It does not know the password of the port. */
  'password',
  /** It asks for a user or a database that the port is not for. */
  'user',
  'database',
  /** The limit on connections is reached. */
  'too-many-connections',
  /** The proxy is shutting down. */
  'draining',
  /** It did not log in in time. */
  'timeout',
  /** There were too many clients that had not logged in, and this was the oldest. */
  'crowded-out',
  /** The login to the database failed. */
  'server',
  /** An internal error of the proxy. */
  'internal',
] as const;

/** Why a client was not let in. */
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** A client is not let in. The message and the hint are for the person who uses it. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reason: RefusalReason;
  /** What to do about it. */
  readonly hint: string | undefined;

  constructor(
    reason: RefusalReason,
    message: string,
    options: { readonly hint?: string; readonly cause?: unknown } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.reason = reason;
    this.hint = options.hint;
  }

  /** Why the login to the database failed, if that is the reason. */
  get serverError(): RdsIamError | undefined {
    return isRdsIamError(this.cause) ? this.cause : undefined;
  }
}

/** Turns any error into a refusal. */
export function refusalFor(error: unknown, target: ProxyTarget): Refusal {
  if (error instanceof Refusal) return error;
  if (isProtocolError(error)) return new Refusal('protocol', `rds-iam proxy: ${error.message}`, { cause: error });
  if (isRdsIamError(error)) {
    // The first line says what happened, the others list possible reasons.
    const [what = '', ...causes] = error.message.split('\n');
    const hint = [...causes, `More: rds-iam doctor ${urlOf(target)}`].join('\n');
    return new Refusal('server', what, { cause: error, hint });
  }
  return new Refusal('internal', 'rds-iam proxy: a fault of the proxy', { cause: error });
}

function urlOf({ engine, hostname, port, username, database = '' }: ProxyTarget): string {
  const scheme = engine === 'postgres' ? 'postgresql' : 'mysql';
  const host = hostname.includes(':') ? `[${hostname}]` : hostname;
  return `${scheme}://${encodeURIComponent(username)}@${host}:${port}/${encodeURIComponent(database)}`;
}
