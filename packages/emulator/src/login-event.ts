import type { RefusalReason } from './refusal.js';

/** What became of one login: a line of the server's own log, which clients never get to see. */
export type LoginEvent = {
  /** When that was settled, on the emulator's clock: milliseconds since the epoch. */
  readonly atMs: number;
  /** The database user, as far as the client got to naming one. */
  readonly username: string | undefined;
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
