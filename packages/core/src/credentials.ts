import type { SignerConfig } from '@aws-sdk/rds-signer';
import { kindOf, RdsIamError } from './errors.js';
import { SingleFlight } from './single-flight.js';

type SignerCredentials = NonNullable<SignerConfig['credentials']>;

/** A function that provides AWS credentials, such as those of `@aws-sdk/credential-providers`. */
export type AwsCredentialIdentityProvider = Extract<SignerCredentials, (...args: never[]) => unknown>;

/** AWS credentials: `accessKeyId`, `secretAccessKey` and, if temporary, `sessionToken` and `expiration`. */
export type AwsCredentialIdentity = Exclude<SignerCredentials, AwsCredentialIdentityProvider>;

/** How far ahead of expiry the AWS SDK renews its own credentials; asking it earlier only returns the same ones. */
const RENEW_BEFORE_EXPIRY_MS = 300_000;
/** Credentials with less left than a slow login takes are as good as expired. */
const SHORTEST_USABLE_LIFE_MS = 10_000;
/** Credentials without an expiration can be replaced without notice, as when a shared file is edited: ask again regularly. */
const REUSE_UNDATED_MS = 60_000;
/** The credentials behind a refused token may have been revoked. Far more often it was throttled, so spare their source. */
const DOUBT_EVERY_MS = 10_000;

interface Obtained {
  readonly identity: AwsCredentialIdentity;
  readonly at: number;
}

/** The credentials to sign with: requested once however many wait, reused while they are valid, renewed ahead of expiry. */
export class Credentials {
  readonly #provide: AwsCredentialIdentityProvider;
  readonly #now: () => number;
  readonly #source: string;
  readonly #flight: SingleFlight<Obtained>;
  #current: Obtained | undefined;
  #doubted = false;

  /** @param source - the name of their source in an error, such as "the profile x" */
  constructor(provide: AwsCredentialIdentityProvider, now: () => number, source = '') {
    this.#provide = provide;
    this.#source = source;
    this.#now = now;
    this.#flight = new SingleFlight(now, (obtained) => {
      this.#current = obtained;
    });
  }

  /** @throws RdsIamError `ERR_RDS_IAM_CREDENTIALS` if there are none, or they have expired */
  async get({ forceRefresh = false }: { readonly forceRefresh?: boolean } = {}): Promise<AwsCredentialIdentity> {
    if (!forceRefresh && !this.#doubted && this.#current && isReusable(this.#current, this.#now())) {
      return this.#current.identity;
    }
    const { identity } = await this.#flight.run(() => this.#obtain(forceRefresh), { fresh: forceRefresh });
    return identity;
  }

  /** Makes the next call fetch them again, because a token that they signed was refused. */
  doubt(): void {
    if (this.#current && this.#now() - this.#current.at >= DOUBT_EVERY_MS) this.#doubted = true;
  }

  async #obtain(forced: boolean): Promise<Obtained> {
    const before = this.#current;
    const fallback = before?.identity;
    // Credentials that are only doubted may still be good.
    const onlyDoubted = this.#doubted && before !== undefined && isReusable(before, this.#now());
    // Providers cache credentials without an expiration forever, unless told to refresh them.
    const forceRefresh = forced || onlyDoubted || (fallback !== undefined && fallback.expiration === undefined);
    this.#doubted = false;
    let identity: AwsCredentialIdentity;
    try {
      identity = await this.#ask(forceRefresh);
      if (!forceRefresh && remainingMs(identity, this.#now()) < RENEW_BEFORE_EXPIRY_MS) {
        identity = later(identity, await this.#ask(true).catch(() => identity));
      }
    } catch (error) {
      // Only credentials with an expiration are known to be still good.
      const isGood = fallback?.expiration && remainingMs(fallback, this.#now()) >= SHORTEST_USABLE_LIFE_MS;
      if (!fallback || !(isGood || onlyDoubted)) throw error;
      identity = fallback;
    }
    if (remainingMs(identity, this.#now()) < SHORTEST_USABLE_LIFE_MS) throw this.#expired(identity);
    return { identity, at: this.#now() };
  }

  async #ask(forceRefresh: boolean): Promise<AwsCredentialIdentity> {
    let identity: AwsCredentialIdentity;
    try {
      identity = await this.#provide(forceRefresh ? { forceRefresh: true } : {});
    } catch (cause) {
      throw new RdsIamError('ERR_RDS_IAM_CREDENTIALS', notProvided(cause, this.#source), { cause });
    }
    if (!identity?.accessKeyId || !identity.secretAccessKey) {
      throw new RdsIamError(
        'ERR_RDS_IAM_CREDENTIALS',
        `the credentials provider returned ${kindOf(identity)} without an access key: it must return { accessKeyId, secretAccessKey, sessionToken?, expiration? }`,
      );
    }
    if (identity.expiration && Number.isNaN(identity.expiration.getTime())) {
      throw new RdsIamError(
        'ERR_RDS_IAM_CREDENTIALS',
        'the "expiration" of the AWS credentials is not a date: in the environment it is AWS_CREDENTIAL_EXPIRATION, as in 2026-01-31T12:00:00Z',
      );
    }
    return identity;
  }

  #expired(identity: AwsCredentialIdentity): RdsIamError {
    return new RdsIamError(
      'ERR_RDS_IAM_CREDENTIALS',
      `the AWS credentials expired at ${identity.expiration?.toISOString()} or expire before a login could finish, and no newer ones could be obtained: renew them (for SSO: aws sso login). This machine's clock says ${new Date(this.#now()).toISOString()}; if that is wrong, set the clock or give "clockOffsetMs"`,
      { details: { kind: 'credentials-expired' } },
    );
  }
}

function remainingMs({ expiration }: AwsCredentialIdentity, now: number): number {
  return expiration ? expiration.getTime() - now : Number.POSITIVE_INFINITY;
}

function isReusable({ identity, at }: Obtained, now: number): boolean {
  return identity.expiration ? remainingMs(identity, now) >= RENEW_BEFORE_EXPIRY_MS : now - at < REUSE_UNDATED_MS;
}

function later(one: AwsCredentialIdentity, other: AwsCredentialIdentity): AwsCredentialIdentity {
  const lasts = ({ expiration }: AwsCredentialIdentity) => expiration?.getTime() ?? Number.POSITIVE_INFINITY;
  return lasts(other) >= lasts(one) ? other : one;
}

// How STS and the container and instance services answer a caller whose clock is several minutes off.
const SKEWED =
  /Signature expired|Signature not yet current|RequestTimeTooSkewed|RequestExpired|InvalidSignatureException/;

function notProvided(cause: unknown, source: string): string {
  const said = cause instanceof Error ? `${cause.name}: ${cause.message}` : kindOf(cause);
  const clock = SKEWED.test(said)
    ? " AWS's clock and this machine's differ by more than a few minutes: set the clock."
    : '';
  const from = source && ` from ${source}`;
  return `no AWS credentials${from}: ${said}.${clock} Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, run on AWS with a role, or give "credentials"`;
}

/**
 * The AWS SDK's default chain for Node.js, loaded when it is first needed, because that takes as long as all the rest of a cold
 * start. Credentials in the environment, where the chain looks first, are read without it.
 *
 * @param regionOfDatabase - the region in which the chain requests temporary credentials if nothing else names one: the SDK
 * would use us-east-1, which does not know the accounts of the China and GovCloud partitions
 */
export function defaultCredentials(
  profile: string | undefined,
  regionOfDatabase: () => string | undefined,
): AwsCredentialIdentityProvider {
  let chain: Promise<AwsCredentialIdentityProvider> | undefined;
  return async (properties) => {
    const found = profile === undefined ? environmentCredentials(process.env) : undefined;
    if (found) return found;
    chain ??= import('@aws-sdk/credential-providers').then(({ fromNodeProviderChain }) => {
      const region = process.env['AWS_REGION'] ? undefined : regionOfDatabase();
      return fromNodeProviderChain({
        ignoreCache: true,
        ...(profile !== undefined && { profile }),
        ...(region !== undefined && { clientConfig: { region } }),
      });
    });
    try {
      return await (await chain)(properties);
    } catch (error) {
      // Loading it may have failed because there were no file descriptors left.
      chain = undefined;
      throw error;
    }
  };
}

/** The credentials of the environment, if the SDK's chain would use them: it does not when a profile is named. */
function environmentCredentials(env: NodeJS.ProcessEnv): AwsCredentialIdentity | undefined {
  const { AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_CREDENTIAL_EXPIRATION } = env;
  if (AWS_PROFILE || !AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return undefined;
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }),
    ...(AWS_CREDENTIAL_EXPIRATION && { expiration: new Date(AWS_CREDENTIAL_EXPIRATION) }),
  };
}
