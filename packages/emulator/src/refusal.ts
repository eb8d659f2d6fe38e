// How a login is refused: the reason that we keep, and the words that the client gets, which each engine has its own of.
import { TOKEN_REFUSALS } from './token.js';

/**
 * Why a connection was refused, as counted in {@link EmulatorStats.refused}: a token's own faults (`malformed` to
 * `not-authorized`), then
 * - `throttled`: over {@link ThrottleFault.connectionsPerSecond}, denied or reset
 * - `plaintext`: a login without TLS
 * - `static-password`: a user without `rds_iam` whom the upstream did not ask for a password, or who gave none
 * - `protocol`: a message that breaks the protocol
 * - `timeout`: the login took longer than {@link EmulatorOptions.authenticationTimeoutMs}
 * - `upstream`: the upstream was out of reach, or refused a login that we let through to it
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

/**
 * Ends a login. The client gets the answer, which is encoded already; without one the connection is closed and nothing
 * is said, as servers do where they only log.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  constructor(
    readonly reason: RefusalReason,
    readonly answer?: Buffer,
  ) {
    super(reason);
  }
}

/** A server's words for an internal error, or for one of a function that the user gave: its message may hold a secret. */
export const internalErrorMessage = (error: unknown): string =>
  `rds-iam emulator: ${error instanceof Error ? error.name : typeof error} while logging in`;
