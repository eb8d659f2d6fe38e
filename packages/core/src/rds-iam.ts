import { abortable } from './abortable.js';
import { Admissions } from './admissions.js';
import { resolveCname } from './builtins.js';
import { type Clock, systemClock } from './clock.js';
import { ClockSkew } from './clock-skew.js';
import type { ConnectContext } from './context.js';
import { type AwsCredentialIdentityProvider, Credentials, defaultCredentials } from './credentials.js';
import { checkEndpoint, type Endpoint, parseRdsHostname, type ResolveCname } from './endpoint.js';
import { errorAt, isRdsIamError, RdsIamError } from './errors.js';
import { History } from './history.js';
import type { ConnectOptions, Login } from './login.js';
import { checkOptions, type RdsIamOptions } from './options.js';
import { Peers } from './peers.js';
import { type RootsRequest, type TrustedRoots, trustedRoots } from './roots.js';
import { regionOfToken, type SigningRequest, sign } from './signing.js';
import { Targets } from './targets.js';
import { type AuthToken, Tokens } from './tokens.js';

/** IAM database authentication for one application: its options, its credentials and its tokens. */
export interface RdsIam {
  /** `false` when the options say so: the packages then behave as the plain drivers do. */
  readonly enabled: boolean;
  /**
   * Returns a token for a database user: from memory while it is good, otherwise signed now.
   *
   * @throws RdsIamError `ERR_RDS_IAM_CONFIG`, `_REGION`, `_ENDPOINT`, `_CREDENTIALS`, `_SIGNING` or `_ABORTED`
   */
  getToken(
    endpoint: Endpoint,
    options?: {
      /** Signs a new token, with freshly fetched credentials. */
      readonly forceRefresh?: boolean;
      /** Stops waiting; the signing, which others may wait for, goes on. */
      readonly signal?: AbortSignal;
    },
  ): Promise<AuthToken>;
  /**
   * Opens one physical connection: finds the endpoint, gets a token, and calls `open` with everything that a driver needs. On
   * failure it tries again if that can help, or gives up with a diagnosis.
   *
   * @param open - opens and logs in; called once for each attempt, and must leave nothing behind when it rejects. Whatever it
   * does or fails to do, `connect` settles by the deadline; a connection that comes later is closed
   * @throws RdsIamError of any code, with the driver's error as `cause`
   */
  connect<T>(endpoint: Endpoint, open: (login: Login) => Promise<T>, options?: ConnectOptions<T>): Promise<T>;
}

/** The outside world, passed in so that tests control the clocks, the randomness and the network. */
export interface Effects {
  /** The wall clock, by which tokens and credentials expire. */
  readonly timeOfDay: () => number;
  /** The monotonic clock, for waits and deadlines. */
  readonly clock: Clock;
  readonly random: () => number;
  readonly sign: (request: SigningRequest) => Promise<string>;
  readonly defaultCredentials: (
    profile: string | undefined,
    region: () => string | undefined,
  ) => AwsCredentialIdentityProvider;
  readonly resolveCname: ResolveCname;
  readonly clockSkewMs: (region: string) => Promise<number | undefined>;
  readonly trustedRoots: (request: RootsRequest) => Promise<TrustedRoots>;
}

/** Long enough for a healthy network; a login that is being given up should not wait for a blocked one. */
const CLOCK_QUESTION_TIMEOUT_MS = 1_000;

const system: Effects = {
  timeOfDay: () => Date.now(),
  clock: systemClock,
  random: () => Math.random(),
  sign,
  defaultCredentials,
  resolveCname,
  async clockSkewMs(region) {
    const { awsClockSkewMs } = await import('./aws-clock.js');
    return awsClockSkewMs(region, CLOCK_QUESTION_TIMEOUT_MS);
  },
  trustedRoots,
};

/**
 * Sets up IAM database authentication: once per application, to be shared by its pools. Until the first login, no part of the
 * AWS SDK is loaded and no request is made.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` when an option is wrong
 */
export function createRdsIam(options?: RdsIamOptions): RdsIam {
  return createRdsIamWith(system, options);
}

/** {@link createRdsIam} with the outside world passed in, for this package's own tests. */
export function createRdsIamWith(effects: Partial<Effects>, given?: RdsIamOptions): RdsIam {
  const world: Effects = { ...system, ...effects };
  const options = checkOptions(given);
  /** The time as AWS and the database see it when they check tokens and credentials. */
  const timeOfAws = () => world.timeOfDay() + options.clockOffsetMs;
  const { clock, random } = world;

  let regionOfDatabase = options.region;
  const credentials = new Credentials(
    credentialsProvider(options, () => world.defaultCredentials(options.profile, () => regionOfDatabase)),
    timeOfAws,
    options.profile && `the profile "${options.profile}"`,
  );
  const targets = new Targets(options, clock, world.resolveCname);
  const tokens = new Tokens(signToken, { now: timeOfAws, random }, options.refreshBeforeExpiryMs);
  const context: ConnectContext = {
    ...{ options, clock, random, targets, credentials, tokens },
    admissions: new Admissions(clock, options),
    peers: new Peers(options.ca, world.trustedRoots),
    history: new History(clock),
    clockSkew: new ClockSkew(clock, world.clockSkewMs),
  };

  let connect: typeof import('./connect.js').connect | undefined;

  async function signToken(endpoint: Endpoint, { forceRefresh }: { readonly forceRefresh: boolean }) {
    const region = parseRdsHostname(endpoint.hostname)?.region ?? options.region;
    regionOfDatabase ??= region;
    const identity = await credentials.get({ forceRefresh });
    const token = await world.sign({
      ...endpoint,
      region,
      profile: options.profile,
      credentials: identity,
      ...(options.clockOffsetMs !== 0 && { signingDate: new Date(timeOfAws()) }),
    });
    return { token, region: region ?? regionOfToken(token), credentialsExpiration: identity.expiration };
  }

  /** Synchronous if the token is in memory, since an RDS name needs no look-up. */
  function tokenFor(endpoint: Endpoint, forceRefresh: boolean): AuthToken | Promise<AuthToken> {
    const target = targets.of(endpoint);
    if (target instanceof Promise) return target.then((found) => tokens.get(found, { forceRefresh }));
    return tokens.get(target, { forceRefresh });
  }

  return {
    enabled: options.enabled ?? true,
    async getToken(endpoint, { forceRefresh = false, signal } = {}) {
      checkEndpoint(endpoint);
      try {
        const token = tokenFor(endpoint, forceRefresh);
        return signal ? await abortable(Promise.resolve(token), signal) : await token;
      } catch (error) {
        if (signal?.aborted) throw errorAt(endpoint, stoppedWaiting(signal));
        throw isRdsIamError(error) ? errorAt(endpoint, error) : error;
      }
    },
    async connect(endpoint, open, connectOptions) {
      checkEndpoint(endpoint);
      connect ??= (await import('./connect.js')).connect;
      return connect(context, endpoint, open, connectOptions);
    },
  };
}

function credentialsProvider(
  { credentials }: RdsIamOptions,
  byDefault: () => AwsCredentialIdentityProvider,
): AwsCredentialIdentityProvider {
  if (typeof credentials === 'function') return credentials;
  return credentials === undefined ? byDefault() : async () => credentials;
}

function stoppedWaiting({ reason }: AbortSignal): RdsIamError {
  return new RdsIamError('ERR_RDS_IAM_ABORTED', 'the wait for a token was aborted', { cause: reason });
}

/** Whether the value of an `iam` option is an {@link RdsIam} already, and not options for one. */
function isRdsIam(value: unknown): value is RdsIam {
  const { getToken, connect: open } = (value ?? {}) as Partial<RdsIam>;
  return typeof getToken === 'function' && typeof open === 'function';
}

/** The {@link RdsIam} that an `iam` option stands for: itself, if it is one to share, otherwise one made with these options. */
export function rdsIamOf(given?: RdsIamOptions | RdsIam): RdsIam {
  return isRdsIam(given) ? given : createRdsIam(given);
}
