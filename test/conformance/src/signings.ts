import { listen } from './events.js';

const RENEWED_BEFORE_EXPIRY_MS = 120_000;

/** How many tokens were signed for one user, by reason. */
export interface Signings {
  readonly first: number;
  /** The previous token was about to expire, or had expired. */
  readonly lifetime: number;
  /** A login was refused since the previous token was signed. */
  readonly refused: number;
  /** There was no reason. */
  readonly unexplained: number;
}

/** Counts the tokens of a user, who has one endpoint, for the rest of the test. */
export function watchSignings(username: string): Signings {
  const signings = { first: 0, lifetime: 0, refused: 0, unexplained: 0 };
  let replaceableAt: number | undefined;
  let refused = false;
  listen('rds-iam:connection:attempt-failed', ({ code, ...login }) => {
    if (login.username !== username) return;
    refused ||= code === 'ERR_RDS_IAM_REFUSED' || code === 'ERR_RDS_IAM_THROTTLED';
  });
  listen('rds-iam:token:signed', ({ expiration, durationMs, ...login }) => {
    if (login.username !== username) return;
    if (replaceableAt === undefined) signings.first++;
    else if (Date.now() >= replaceableAt) signings.lifetime++;
    else if (refused) signings.refused++;
    else signings.unexplained++;
    // A token from credentials that expire soon is shorter-lived, and is replaced after half of its life at the earliest.
    const lifeMs = expiration.getTime() - (Date.now() - durationMs);
    replaceableAt = expiration.getTime() - Math.min(RENEWED_BEFORE_EXPIRY_MS, lifeMs / 2);
    refused = false;
  });
  return signings;
}
