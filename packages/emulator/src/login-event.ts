import type { RefusalReason } from './refusal.js';

/** A token that a client gave, without the token. */
export interface SeenToken {
  /** The same for the same token, and of no use for anything else: the beginning of its SHA-256, in hex. */
  readonly fingerprint: string;
  /** How long ago it was signed, in milliseconds on the emulator's clock. */
  readonly ageMs: number;
}

/** What became of one login: a line of the server's own log, which clients never get to see. */
export type LoginEvent = {
  /** When that was settled, on the emulator's clock: milliseconds since the epoch. */
  readonly atMs: number;
  /** The database user, as far as the client got to naming one. */
  readonly username: string | undefined;
  /** The token that it came with, if it got as far as that, and if that was one. */
  readonly token?: SeenToken;
} & (
  | {
      /**
       * `accepted`: the token was good and the upstream has let the user in. `relayed`: a user without `rds_iam` was left
       * to the upstream's password authentication, whatever came of it.
       */
      readonly outcome: 'accepted' | 'relayed';
    }
  | { readonly outcome: 'refused'; readonly reason: RefusalReason }
);
