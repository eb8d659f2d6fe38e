import type { RdsIamErrorCode } from '../errors.js';
import type { FailureKind } from '../failure.js';

/**
 * What differs between the databases that support IAM logins. The connect path knows only this interface: another engine is
 * another object that implements it, which its adapter passes to `connect`.
 */
export interface Engine {
  /** As in `postgres`. */
  readonly name: string;
  /** How many connections per second are opened to one instance, unless an option says otherwise; `Infinity` for no limit. */
  readonly connectionsPerSecond: number;
  /** What makes an account an IAM account, for error messages. */
  readonly account: IamAccount;
  /** What an error of its servers or drivers means; undefined if it is not one of theirs, or says nothing. Pure. */
  classify(error: ErrorShape): Meaning | undefined;
}

/** How error messages describe an IAM account. */
export interface IamAccount {
  /** What is wrong with a user that is not one, as in `is not a member of rds_iam`. */
  readonly isNone: string;
  /** What makes a user one, as in `its grant of rds_iam`. */
  readonly has: string;
  /** The SQL statements that make one. */
  readonly make: string;
}

/** The parts of a driver's or the system's error that are examined. */
export interface ErrorShape {
  readonly code: string;
  readonly message: string;
  /** Positive for an error of a MySQL server, negative for one of the system, 0 for none. */
  readonly errno: number;
}

/** What a failed attempt to log in means. */
export interface Meaning {
  readonly code: RdsIamErrorCode;
  /**
   * `until-deadline`: passes by itself. `while-patient`: a wrong configuration or a throttled login, since servers use the same
   * words for both. `few-times`: could pass, but probably will not. `never`: cannot pass.
   */
  readonly retry: 'until-deadline' | 'while-patient' | 'few-times' | 'never';
  readonly kind?: FailureKind;
}

/** A message of a server or a driver, and what it means. */
export type Rule = readonly [pattern: RegExp, meaning: Meaning];

export const THROTTLED: Meaning = { code: 'ERR_RDS_IAM_THROTTLED', retry: 'until-deadline' };
export const TOO_MANY: Meaning = { code: 'ERR_RDS_IAM_TOO_MANY_CONNECTIONS', retry: 'until-deadline' };
export const TRANSIENT: Meaning = { code: 'ERR_RDS_IAM_UNREACHABLE', retry: 'until-deadline' };
export const TOKEN_REFUSED: Meaning = { code: 'ERR_RDS_IAM_REFUSED', retry: 'while-patient', kind: 'token-refused' };
export const REFUSED: Meaning = { code: 'ERR_RDS_IAM_REFUSED', retry: 'never' };
export const NOT_AN_IAM_USER: Meaning = { ...REFUSED, kind: 'not-an-iam-user' };
export const NO_TLS: Meaning = { code: 'ERR_RDS_IAM_TLS', retry: 'never' };
export const PLAINTEXT_REFUSED: Meaning = { ...NO_TLS, kind: 'plaintext-refused' };
export const TLS_NOT_OFFERED: Meaning = { ...NO_TLS, kind: 'tls-not-offered' };
export const TLS_FAILED: Meaning = { code: 'ERR_RDS_IAM_TLS', retry: 'few-times', kind: 'tls-failed' };
export const CONNECTION_LOST: Meaning = { ...TRANSIENT, kind: 'connection-lost' };

export function firstMatch(rules: readonly Rule[], message: string): Meaning | undefined {
  return rules.find(([pattern]) => pattern.test(message))?.[1];
}
