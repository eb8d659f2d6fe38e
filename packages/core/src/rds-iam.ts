import type { ConnectionOptions } from 'node:tls';
import { abortable } from './abortable.js';
import type { Admission } from './admission.js';
import { resolveCname } from './builtins.js';
import { type AwsCredentialIdentityProvider, Credentials, defaultCredentials } from './credentials.js';
import {
  checkEndpoint,
  type Endpoint,
  followCnames,
  parseRdsHostname,
  type ResolveCname,
  rdsName,
} from './endpoint.js';
import { configError, errorAt, isRdsIamError, RdsIamError } from './errors.js';
import type { ConnectContext, ConnectOptions, Login, Target } from './login.js';
import { checkOptions, type RdsIamOptions } from './options.js';
import { type RootsRequest, rootsKey, type TrustedRoots, trustedRoots } from './roots.js';
import { regionOfToken, type SigningRequest, sign } from './signing.js';
import { type CaCertificates, type DriverTls, expectedIdentity, PeerSession, tlsOptions } from './tls.js';
import { type AuthToken, Tokens } from './tokens.js';

/** IAM database authentication for one application: its options, its credentials and its tokens. */
export interface RdsIam {
  /** `false` when the options say so: the packages then behave as the plain drivers do. */
  readonly enabled: boolean;
  /**
   * A token for a database user: from memory while it is good, else signed now.
   *
   * @throws RdsIamError `ERR_RDS_IAM_CONFIG`, `_REGION`, `_ENDPOINT`, `_CREDENTIALS`, `_SIGNING` or `_ABORTED`
   */
  getToken(
    endpoint: Endpoint,
    options?: {
      /** Signs a new one, with credentials asked for anew. */
      readonly forceRefresh?: boolean;
      /** Stops waiting; the signing, which others may wait for, goes on. */
      readonly signal?: AbortSignal;
    },
  ): Promise<AuthToken>;
  /**
   * Opens one physical connection: finds the endpoint, gets a token, calls `open` with all that a driver needs, and on
   * failure tries again where that can help, or gives up with a diagnosis.
   *
   * @param open - opens and logs in; has left nothing behind when it rejects; called once for each attempt
   * @throws RdsIamError of any code, with the driver's error as `cause`
   */
  connect<T>(endpoint: Endpoint, open: (login: Login) => Promise<T>, options?: ConnectOptions): Promise<T>;
}

/** The world outside, passed in so that tests own the clock, the dice and the network. */
export interface Effects {
  /** The time of day, by which tokens and credentials expire. */
  now(): number;
  /** For what takes time and what is due: a clock that is set, or one that stands still, does not touch it. */
  monotonicNow(): number;
  random(): number;
  after(delayMs: number, callback: () => void): () => void;
  sign(request: SigningRequest): Promise<string>;
  defaultCredentials(profile: string | undefined, region: () => string | undefined): AwsCredentialIdentityProvider;
  resolveCname: ResolveCname;
  clockSkewMs(region: string): Promise<number | undefined>;
  trustedRoots(request: RootsRequest): Promise<TrustedRoots>;
}

/** Long enough for a healthy network; a login that is given up on should not wait on a blocked one. */
const CLOCK_QUESTION_TIMEOUT_MS = 1_000;
/** More names than this are forgotten, and read again. */
const MAX_RDS_NAMES = 1_024;

const system: Effects = {
  now: () => Date.now(),
  monotonicNow: () => performance.now(),
  random: () => Math.random(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
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
 * IAM database authentication, to be made once for an application and shared by its pools. Nothing of AWS is loaded and
 * nothing is asked for before the first login.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` when an option is wrong
 */
export function createRdsIam(options?: RdsIamOptions): RdsIam {
  return createRdsIamWith(system, options);
}

/** {@link createRdsIam} with the outside world given: for this package's own tests. */
export function createRdsIamWith(effects: Partial<Effects>, given?: RdsIamOptions): RdsIam {
  const world: Effects = { ...system, ...effects };
  const options = checkOptions(given);
  /** The time by which AWS and the database judge tokens and credentials. */
  const now = () => world.now() + options.clockOffsetMs;
  let regionOfDatabase = options.region;
  const credentials = new Credentials(
    credentialsProvider(options, () => world.defaultCredentials(options.profile, () => regionOfDatabase)),
    now,
    options.profile && `the profile "${options.profile}"`,
  );
  const tokens = new Tokens(signToken, { now, random: world.random }, options.refreshBeforeExpiryMs);
  const loggedIn = new Set<string>();
  const rdsNames = new Set<string>();
  const withoutDriverTls: object = {};
  const sessions = new WeakMap<ConnectionOptions, Map<string, PeerSession>>();
  const tlsByDriverOptions = new WeakMap<object, Map<string, Promise<ConnectionOptions>>>();

  async function signToken(endpoint: Endpoint, { forceRefresh }: { readonly forceRefresh: boolean }) {
    const region = regionFor(endpoint.hostname);
    regionOfDatabase ??= region;
    const identity = await credentials.get({ forceRefresh });
    const token = await world.sign({
      ...endpoint,
      region,
      profile: options.profile,
      credentials: identity,
      ...(options.clockOffsetMs !== 0 && { signingDate: new Date(now()) }),
    });
    return { token, region: region ?? regionOfToken(token), credentialsExpiration: identity.expiration };
  }

  function regionFor(hostname: string): string | undefined {
    const named = parseRdsHostname(hostname)?.region;
    if (named !== undefined && options.region !== undefined && named !== options.region) {
      throw configError(
        'region',
        `is ${options.region}, but "${hostname}" is in ${named}: remove "region", the host name tells it`,
      );
    }
    return named ?? options.region;
  }

  async function target({ hostname, port, username }: Endpoint): Promise<Target> {
    const followed = options.resolveCname
      ? await followCnames(hostname, world.resolveCname)
      : (rdsName(hostname) ?? hostname);
    return { hostname: followed, port, username, region: regionFor(followed) };
  }

  /** At once where the token is in memory, as an RDS name needs no look-up. */
  function tokenFor(endpoint: Endpoint, forceRefresh: boolean): AuthToken | Promise<AuthToken> {
    if (isRdsName(endpoint.hostname)) return tokens.get(endpoint, { forceRefresh });
    return target(endpoint).then((followed) => tokens.get(followed, { forceRefresh }));
  }

  /** Reading a name takes as long as all the rest of a call that finds its token in memory: once is enough. */
  function isRdsName(hostname: string): boolean {
    if (rdsNames.has(hostname)) return true;
    if (rdsName(hostname) !== hostname) return false;
    if (rdsNames.size === MAX_RDS_NAMES) rdsNames.clear();
    rdsNames.add(hostname);
    return true;
  }

  /** One secure context for each object of TLS options that a driver was configured with, and the roots for its servers. */
  function tls(ssl: DriverTls, at: Target): Promise<ConnectionOptions> {
    const key = typeof ssl === 'object' ? ssl : withoutDriverTls;
    const byRoots = tlsByDriverOptions.get(key) ?? new Map<string, Promise<ConnectionOptions>>();
    tlsByDriverOptions.set(key, byRoots);
    const given = givenCa(ssl);
    const roots = given === undefined ? rootsKey(at) : '';
    const known = byRoots.get(roots);
    if (known) return known;
    const made = certificates(given, at).then((ca) => tlsOptions(ssl, ca));
    byRoots.set(roots, made);
    return made;
  }

  async function certificates(given: CaCertificates | undefined, at: Target): Promise<CaCertificates> {
    return given ?? (await world.trustedRoots(at)).certificates;
  }

  function givenCa(ssl: DriverTls): CaCertificates | undefined {
    const own = typeof ssl === 'object' ? (ssl.ca as CaCertificates | undefined) : undefined;
    return own ?? options.ca;
  }

  async function trusted(ssl: DriverTls, at: Target): Promise<string> {
    return givenCa(ssl) === undefined ? (await world.trustedRoots(at)).description : 'those of "ca"';
  }

  function session(options: ConnectionOptions, identity: string, port: number): PeerSession {
    const byPeer = sessions.get(options) ?? new Map<string, PeerSession>();
    sessions.set(options, byPeer);
    const peer = `${identity}:${port}`;
    const known = byPeer.get(peer) ?? new PeerSession();
    byPeer.set(peer, known);
    return known;
  }

  const context: ConnectContext = {
    options,
    admissions: new Map<string, Admission>(),
    now: world.monotonicNow,
    random: world.random,
    after: world.after,
    target,
    token: async (at: Target) => tokens.get(at),
    tls,
    trusted,
    identity: expectedIdentity,
    session,
    dropToken(at: Target, token: string) {
      if (tokens.drop(at, token)) credentials.doubt();
    },
    loggedInBefore: (at: Endpoint) => loggedIn.has(loginKey(at)),
    rememberLogin: (at: Endpoint) => void loggedIn.add(loginKey(at)),
    clockSkewMs: async ({ region }: Target) => (region === undefined ? undefined : world.clockSkewMs(region)),
  };

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
      const { connect } = await import('./connect.js');
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

function loginKey({ hostname, port, username }: Endpoint): string {
  return `${hostname}\n${port}\n${username}`;
}

function stoppedWaiting({ reason }: AbortSignal): RdsIamError {
  return new RdsIamError('ERR_RDS_IAM_ABORTED', 'waiting for a token was stopped', { cause: reason });
}

/** Whether the value of an `iam` option is an {@link RdsIam} already, and not options for one. */
export function isRdsIam(value: unknown): value is RdsIam {
  const { getToken, connect: open } = (value ?? {}) as Partial<RdsIam>;
  return typeof getToken === 'function' && typeof open === 'function';
}

/** What an `iam` option stands for: itself, where it is an {@link RdsIam} to be shared, else one made with these options. */
export function rdsIamOf(given?: RdsIamOptions | RdsIam): RdsIam {
  return isRdsIam(given) ? given : createRdsIam(given);
}
