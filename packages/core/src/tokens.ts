import { inspect } from 'node:util';
import { BoundedMap, keyOf } from './bounded-map.js';
import { publish } from './diagnostics.js';
import type { Endpoint } from './endpoint.js';
import { RdsIamError } from './errors.js';
import { withoutSecrets } from './redaction.js';
import { SingleFlight } from './single-flight.js';

/** A token to log in with, in place of a password. Neither `inspect` nor `JSON.stringify` shows the token. */
export interface AuthToken {
  /** The token itself: 400 characters and more, 1.3 kB and more with session credentials. */
  readonly token: string;
  /** When it can no longer be used for a login: 15 minutes after signing, or when the credentials behind it expire. */
  readonly expiration: Date;
}

/** A signer's result: the token, the region it is for, and the expiration of the credentials that signed it. */
export interface SignedToken {
  readonly token: string;
  readonly region: string;
  readonly credentialsExpiration?: Date | undefined;
}

export type SignToken = (endpoint: Endpoint, options: { readonly forceRefresh: boolean }) => Promise<SignedToken>;

export interface TokenClock {
  now(): number;
  random(): number;
}

/** A token with less left could expire on its way to the server. */
const SHORTEST_HANDED_OUT_MS = 1_000;
const RENEWAL_BACKOFF_MS = 1_000;
const LONGEST_RENEWAL_BACKOFF_MS = 30_000;
/** How many endpoints and users are remembered. */
const MAX_ENTRIES = 4_096;

class Token implements AuthToken {
  readonly token: string;
  readonly expiration: Date;
  /** In milliseconds since the epoch, since it is compared on each call. */
  readonly #expiresAt: number;
  readonly #renewAt: number;

  constructor({ token, credentialsExpiration }: SignedToken, signedAt: number, refreshBeforeExpiryMs: number) {
    this.token = token;
    this.#expiresAt = effectiveExpiry(token, credentialsExpiration);
    this.#renewAt = renewalTime(this.#expiresAt, signedAt, refreshBeforeExpiryMs);
    this.expiration = new Date(this.#expiresAt);
    Object.freeze(this);
  }

  isUsable(now: number): boolean {
    return now < this.#expiresAt - SHORTEST_HANDED_OUT_MS;
  }

  isDueForRenewal(now: number): boolean {
    return now >= this.#renewAt;
  }

  toJSON(): object {
    return { token: '[redacted]', expiration: this.expiration };
  }

  [inspect.custom](): object {
    return { token: '[redacted]', expiration: this.expiration };
  }
}

interface Entry {
  token: Token | undefined;
  readonly signing: SingleFlight<Token>;
  renewalFailures: number;
  renewNotBefore: number;
}

/**
 * One token per endpoint and user, for everybody who opens a connection there. No timers: a token that is due for renewal
 * is still served at once, and the call that notices starts one renewal in the background.
 */
export class Tokens {
  readonly #sign: SignToken;
  readonly #clock: TokenClock;
  readonly #refreshBeforeExpiryMs: number;
  readonly #entries = new BoundedMap<Entry>(MAX_ENTRIES);

  constructor(sign: SignToken, clock: TokenClock, refreshBeforeExpiryMs: number) {
    this.#sign = sign;
    this.#clock = clock;
    this.#refreshBeforeExpiryMs = refreshBeforeExpiryMs;
  }

  get(
    endpoint: Endpoint,
    { forceRefresh = false }: { readonly forceRefresh?: boolean } = {},
  ): AuthToken | Promise<AuthToken> {
    const entry = this.#entry(endpoint);
    const { token } = entry;
    const now = this.#clock.now();
    if (forceRefresh || !token?.isUsable(now)) {
      return entry.signing.run(() => this.#signNow(endpoint, forceRefresh, false), { fresh: forceRefresh });
    }
    if (token.isDueForRenewal(now)) this.#renewBehind(entry, endpoint, now);
    return token;
  }

  /** Forgets a token that a server refused, and returns whether it did; a token that has replaced it meanwhile stays. */
  drop(endpoint: Endpoint, token: string): boolean {
    const entry = this.#entries.get(keyOf(endpoint));
    if (entry?.token?.token !== token) return false;
    entry.token = undefined;
    return true;
  }

  #entry(endpoint: Endpoint): Entry {
    const key = keyOf(endpoint);
    const known = this.#entries.get(key);
    if (known) return known;
    const entry: Entry = {
      token: undefined,
      signing: new SingleFlight<Token>(this.#clock.now, (token) => {
        entry.token = token;
        entry.renewalFailures = 0;
        entry.renewNotBefore = 0;
      }),
      renewalFailures: 0,
      renewNotBefore: 0,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  async #signNow(endpoint: Endpoint, forceRefresh: boolean, background: boolean): Promise<Token> {
    const startedAt = this.#clock.now();
    const signed = await this.#sign(endpoint, { forceRefresh });
    const signedAt = this.#clock.now();
    const token = new Token(signed, startedAt, this.#refreshBeforeExpiryMs);
    if (!token.isUsable(signedAt)) {
      throw new RdsIamError(
        'ERR_RDS_IAM_SIGNING',
        `the token for ${endpoint.hostname} had expired (${token.expiration.toISOString()}) when it was signed: is this machine's clock (${new Date(signedAt).toISOString()}) right?`,
      );
    }
    publish('rds-iam:token:signed', () => ({
      ...plain(endpoint),
      region: signed.region,
      expiration: token.expiration,
      durationMs: signedAt - startedAt,
      background,
    }));
    return token;
  }

  #renewBehind(entry: Entry, endpoint: Endpoint, now: number): void {
    if (entry.signing.running || now < entry.renewNotBefore) return;
    const replaced = entry.token;
    entry.signing
      .run(() => this.#signNow(endpoint, false, true))
      .then(
        (token) => {
          // Credentials that are about to expire cannot sign a longer token: renewing on every call would not change that.
          if (replaced && token.expiration <= replaced.expiration) this.#backOff(entry);
        },
        (error: unknown) => {
          this.#backOff(entry);
          publish('rds-iam:token:renewal-failed', () => ({ ...plain(endpoint), error: withoutSecrets(error) }));
        },
      );
  }

  #backOff(entry: Entry): void {
    const longest = Math.min(LONGEST_RENEWAL_BACKOFF_MS, RENEWAL_BACKOFF_MS * 2 ** entry.renewalFailures++);
    entry.renewNotBefore = this.#clock.now() + longest * (0.5 + this.#clock.random() / 2);
  }
}

/** When a token itself says it expires, in milliseconds since the epoch: `X-Amz-Date` plus `X-Amz-Expires`. */
export function tokenExpiry(token: string): number {
  const [, year, month, day, hour, minute, second] =
    /[?&]X-Amz-Date=(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z(?:&|$)/.exec(token) ?? [];
  const [, seconds] = /[?&]X-Amz-Expires=(\d{1,6})(?:&|$)/.exec(token) ?? [];
  if (second === undefined || seconds === undefined) {
    throw new RdsIamError('ERR_RDS_IAM_SIGNING', 'the signer returned something that is not a token: it has no date');
  }
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) + Number(seconds) * 1_000;
}

/** A token expires with the credentials that signed it, if they expire sooner. */
export function effectiveExpiry(token: string, credentialsExpiration: Date | undefined): number {
  return Math.min(tokenExpiry(token), credentialsExpiration?.getTime() ?? Number.POSITIVE_INFINITY);
}

/** A token that lives less than twice the window is renewed at half its life, so that not every call is within the window. */
export function renewalTime(expiresAt: number, signedAt: number, refreshBeforeExpiryMs: number): number {
  return expiresAt - Math.min(refreshBeforeExpiryMs, Math.max(0, expiresAt - signedAt) / 2);
}

function plain({ hostname, port, username }: Endpoint): Endpoint {
  return { hostname, port, username };
}
