// How a login is refused: the reason for our log, and the words for the client, which differ by engine.
import { TOKEN_REFUSALS } from './token.js';

/**
 * Why a connection was refused, as counted in {@link EmulatorStats.refused}: a token's own faults (`malformed` to
 * `not-authorized`), then
 * - `throttled`: over {@link ThrottleFault.connectionsPerSecond}, denied or reset
 * - `plaintext`: a login without TLS
 * - `static-password`: a user without `rds_iam` whom the upstream did not ask for a password, or whose password was empty
 * - `protocol`: a message that breaks the protocol
 * - `timeout`: the login took longer than {@link EmulatorOptions.authenticationTimeoutMs}
 * - `upstream`: the upstream was out of reach, or refused a login that we had accepted
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
 * Ends a login. The client gets the answer, which is encoded already. Without an answer the connection is closed silently, as
 * servers do if they only log the error.
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

/** Describes an internal error, or one of a user's function, without its message, which may contain a secret. */
export const internalErrorMessage = (error: unknown): string =>
  `rds-iam emulator: ${error instanceof Error ? error.name : typeof error} while logging in`;
