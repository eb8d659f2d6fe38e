import type { RdsIamErrorCode } from '../errors.js';
import type { FailureKind } from '../failure.js';

/**
 * What differs between the databases that IAM logs in to. The path of a connection knows this interface only: another engine
 * is another object of it, which its adapter hands to `connect`.
 */
export interface Engine {
  /** As in `postgres`. */
  readonly name: string;
  /** How many connections per second are opened to one instance, unless an option says otherwise; `Infinity` for no limit. */
  readonly connectionsPerSecond: number;
  /** How an account is one for IAM, for the texts of errors. */
  readonly account: IamAccount;
  /** What an error of its servers or of its drivers means; undefined where it is not one of theirs, or says nothing. Pure. */
  classify(error: ErrorShape): Meaning | undefined;
}

/** How the texts of errors speak of an account for IAM. */
export interface IamAccount {
  /** What a message says of a user without one, as in `is not a member of rds_iam`. */
  readonly isNone: string;
  /** What makes it one, as in `its grant of rds_iam`. */
  readonly has: string;
  /** The statements that make one. */
  readonly make: string;
}

/** What is looked at of an error that a driver or the system made. */
export interface ErrorShape {
  readonly code: string;
  readonly message: string;
  /** Positive for what a MySQL server says, negative for what the system says, 0 where there is none. */
  readonly errno: number;
}

/** What a failed attempt to log in means. */
export interface Meaning {
  readonly code: RdsIamErrorCode;
  /**
   * `until-deadline`: passes by itself. `while-patient`: a wrong configuration, or a throttled login, as the same words are
   * used for both. `few-times`: could pass, but more likely will not. `never`: cannot get better.
   */
  readonly retry: 'until-deadline' | 'while-patient' | 'few-times' | 'never';
  readonly kind?: FailureKind;
}

/** A text of a server's or a driver's, and what it means. */
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
