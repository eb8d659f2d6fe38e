import type { RefusalReason } from './refusal.js';

/** What may be known about a client's token; the token itself is left out. */
export interface SeenToken {
  /** Identifies the token and is good for nothing else: the beginning of its SHA-256, in hex. */
  readonly fingerprint: string;
  /** How long ago it was signed, in milliseconds on the emulator's clock. */
  readonly ageMs: number;
}

/** The outcome of one login: an entry in the server's own log, which clients never see. */
export type LoginEvent = {
  /** When it was settled, on the emulator's clock, in milliseconds since the epoch. */
  readonly atMs: number;
  /** The database user, if the client got as far as naming one. */
  readonly username: string | undefined;
  /** The client's token, if it got as far as sending one. */
  readonly token?: SeenToken;
} & (
  | {
      /**
       * `accepted`: the token was good and the upstream has let the user in. `relayed`: a user without `rds_iam` was left
       * to the upstream's password authentication, whatever the outcome.
       */
      readonly outcome: 'accepted' | 'relayed';
    }
  | { readonly outcome: 'refused'; readonly reason: RefusalReason }
);
