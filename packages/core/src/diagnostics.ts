import { type Channel, channel } from 'node:diagnostics_channel';
import type { RdsIamErrorCode } from './errors.js';

interface LoginEvent {
  /** The host name as given by the caller. */
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
}

/**
 * The events published on `node:diagnostics_channel`, by channel name. No event contains a token or a secret, and
 * none costs anything while nobody subscribes. Durations are in milliseconds.
 */
export interface RdsIamEvents {
  /** A token was signed. `background`: ahead of expiry, while the one before was still served. */
  'rds-iam:token:signed': LoginEvent & {
    readonly region: string;
    readonly expiration: Date;
    readonly durationMs: number;
    readonly background: boolean;
  };
  /** A background renewal failed; the current token is still served. */
  'rds-iam:token:renewal-failed': LoginEvent & { readonly error: unknown };
  /**
   * An attempt to open a physical connection begins, after waiting `waitedMs` for its permit. `dialed` is the RDS endpoint that
   * the host name stands for.
   */
  'rds-iam:connection:admitted': LoginEvent & {
    readonly dialed: string;
    readonly attempt: number;
    readonly waitedMs: number;
  };
  /** A database instance refuses logins because there are too many: new ones are opened at this rate, which then creeps up. */
  'rds-iam:admission:slowed': {
    readonly hostname: string;
    readonly port: number;
    readonly connectionsPerSecond: number;
  };
  /** The shared limiter failed or did not answer: for now this process keeps to a limit of its own. */
  'rds-iam:limiter:unavailable': {
    readonly hostname: string;
    readonly port: number;
    readonly connectionsPerSecond: number;
    readonly error: unknown;
  };
  /**
   * A user that has not logged in before was refused for the third time, and is retried for `retryForMs`. Published once for
   * each endpoint and user, with a process warning whose code is `RDS_IAM_LOGIN_REFUSED`.
   */
  'rds-iam:connection:refused-repeatedly': LoginEvent & {
    readonly attempts: number;
    readonly causes: readonly string[];
    readonly retryForMs: number;
  };
  /** An attempt failed. `retryInMs` is absent if there will be no other. */
  'rds-iam:connection:attempt-failed': LoginEvent & {
    readonly attempt: number;
    readonly durationMs: number;
    readonly code: RdsIamErrorCode;
    readonly error: unknown;
    readonly retryInMs?: number;
  };
  /** A physical connection logged in. `durationMs` covers all attempts. */
  'rds-iam:connection:opened': LoginEvent & { readonly attempts: number; readonly durationMs: number };
  /** A physical connection was given up. */
  'rds-iam:connection:gave-up': LoginEvent & {
    readonly attempts: number;
    readonly durationMs: number;
    readonly error: unknown;
  };
}

/**
 * Held for good: a channel to which nothing refers can be garbage-collected, and Node.js 20 then also removes the subscribers
 * of the next channel of that name.
 */
const CHANNELS: Readonly<Record<keyof RdsIamEvents, Channel>> = {
  'rds-iam:token:signed': channel('rds-iam:token:signed'),
  'rds-iam:token:renewal-failed': channel('rds-iam:token:renewal-failed'),
  'rds-iam:admission:slowed': channel('rds-iam:admission:slowed'),
  'rds-iam:limiter:unavailable': channel('rds-iam:limiter:unavailable'),
  'rds-iam:connection:admitted': channel('rds-iam:connection:admitted'),
  'rds-iam:connection:attempt-failed': channel('rds-iam:connection:attempt-failed'),
  'rds-iam:connection:refused-repeatedly': channel('rds-iam:connection:refused-repeatedly'),
  'rds-iam:connection:opened': channel('rds-iam:connection:opened'),
  'rds-iam:connection:gave-up': channel('rds-iam:connection:gave-up'),
};

/** Publishes an event; `event` is called only if somebody subscribes. */
export function publish<Name extends keyof RdsIamEvents>(name: Name, event: () => RdsIamEvents[Name]): void {
  const target = CHANNELS[name];
  if (target.hasSubscribers) target.publish(event());
}
