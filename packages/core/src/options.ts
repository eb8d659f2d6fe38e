import type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from './credentials.js';
import { checkDial, type Dial } from './dial.js';
import { isRegion } from './endpoint.js';
import { configError, kindOf } from './errors.js';
import type { ConnectionLimiter } from './limiter.js';
import { type CaCertificates, checkCa } from './tls.js';

/** How often and how long opening a physical connection is tried. All durations are in milliseconds. */
export interface RetryOptions {
  /** The deadline for all attempts to open one physical connection (1 to 600_000). @defaultValue 30_000 */
  readonly timeoutMs?: number;
  /** How long one attempt may take (1 to 600_000). @defaultValue 15_000 */
  readonly attemptTimeoutMs?: number;
  /** The longest wait before the second attempt; it doubles from there, and the wait is random below it (0 to 60_000). @defaultValue 100 */
  readonly baseDelayMs?: number;
  /** The upper limit of that doubling (0 to 60_000). @defaultValue 5_000 */
  readonly maxDelayMs?: number;
  /**
   * How long a refused login that has never succeeded is retried (0 to 600_000). Servers use the same words for a throttled
   * login and a misconfigured one, and without these retries a fleet of new processes could not get in. `0` makes the first
   * refusal final, which suits tests and development.
   * @defaultValue four fifths of the deadline: 24_000
   */
  readonly patienceMs?: number;
}

/** Options of {@link createRdsIam}, and of the `iam` option of every package. */
export interface RdsIamOptions {
  /** `false`: standard password authentication, nothing added and nothing enforced. @defaultValue true */
  readonly enabled?: boolean;
  /** The AWS region of the database. @defaultValue from the host name, else `AWS_REGION`, else the profile */
  readonly region?: string;
  /**
   * AWS credentials, or a function that provides them, such as those of `@aws-sdk/credential-providers`.
   * @defaultValue the SDK's default chain: environment, shared profile and SSO, web identity, container, EC2 instance
   */
  readonly credentials?: AwsCredentialIdentity | AwsCredentialIdentityProvider;
  /** The profile of the shared AWS configuration for the default chain and region. Cannot be combined with `credentials`. */
  readonly profile?: string;
  /** Renew a token this long before it expires, in milliseconds (0 to 840_000). @defaultValue 120_000 */
  readonly refreshBeforeExpiryMs?: number;
  /**
   * A correction for this machine's clock, in milliseconds, if it is wrong and cannot be set (-86_400_000 to 86_400_000): used
   * when signing tokens and checking expiry. The error of a login that a wrong clock made the server refuse names the value.
   * @defaultValue 0
   */
  readonly clockOffsetMs?: number;
  /**
   * The CA certificates (PEM) to verify the server with; no others are trusted.
   * @defaultValue the RDS roots of the region and, for RDS Proxy, Amazon's; and those of `NODE_EXTRA_CA_CERTS`
   */
  readonly ca?: CaCertificates;
  /**
   * Where to connect instead, as through a tunnel: `"127.0.0.1:15432"`, `{ hostname, port }`, the path of a Unix socket, or a
   * function of the endpoint that returns one of these or a connected stream. The host name stays the RDS endpoint's: the
   * token, the certificate, the region and all errors are about that. @defaultValue `undefined`: the endpoint itself
   */
  readonly dial?: Dial | undefined;
  /** Whether a host name that is not an RDS endpoint is followed through its CNAMEs to one. @defaultValue true */
  readonly resolveCname?: boolean;
  /**
   * The maximum number of physical connections per second to one database instance, for all pools that share this object
   * (1 to 100_000). Without a limit, the rate that the server is seen to admit.
   * @defaultValue 200 for MySQL and MariaDB, as the RDS user guide recommends; none for PostgreSQL
   */
  readonly maxConnectionsPerSecond?: number;
  /** How many connections to one database instance may wait to be opened (0 to 1_000_000). @defaultValue 10_000 */
  readonly maxWaitingConnections?: number;
  /** Shares `maxConnectionsPerSecond` among processes, such as the limiter of `@rds-iam/redis`. @defaultValue not shared */
  readonly limiter?: ConnectionLimiter;
  /** How a failed connection is retried; `false`: not at all. */
  readonly retry?: RetryOptions | false;
}

export interface RetryPolicy extends Required<Omit<RetryOptions, 'patienceMs'>> {
  readonly enabled: boolean;
  /** Undefined: a share of the deadline. */
  readonly patienceMs: number | undefined;
}

export interface CheckedOptions extends RdsIamOptions {
  readonly refreshBeforeExpiryMs: number;
  readonly clockOffsetMs: number;
  readonly resolveCname: boolean;
  readonly maxWaitingConnections: number;
  readonly retryPolicy: RetryPolicy;
}

const RETRY_RANGES: Readonly<
  Record<keyof RetryOptions, readonly [min: number, max: number, byDefault: number | undefined]>
> = {
  timeoutMs: [1, 600_000, 30_000],
  attemptTimeoutMs: [1, 600_000, 15_000],
  baseDelayMs: [0, 60_000, 100],
  maxDelayMs: [0, 60_000, 5_000],
  patienceMs: [0, 600_000, undefined],
};

const CHECKS: Readonly<Record<keyof RdsIamOptions, (value: unknown) => void>> = {
  enabled: (value) => checkBoolean('enabled', value),
  region(value) {
    if (typeof value !== 'string' || !isRegion(value)) {
      throw configError('region', `must be the name of an AWS region, such as eu-west-1, got ${kindOf(value)}`);
    }
  },
  credentials: checkCredentials,
  profile(value) {
    if (typeof value !== 'string' || value === '') {
      throw configError(
        'profile',
        `must be the name of a profile of the shared AWS configuration, got ${kindOf(value)}`,
      );
    }
  },
  refreshBeforeExpiryMs: (value) => checkNumber('refreshBeforeExpiryMs', value, 0, 840_000),
  clockOffsetMs: (value) => checkNumber('clockOffsetMs', value, -86_400_000, 86_400_000),
  ca: (value) => checkCa('ca', value),
  dial: checkDial,
  resolveCname: (value) => checkBoolean('resolveCname', value),
  maxConnectionsPerSecond: (value) => checkNumber('maxConnectionsPerSecond', value, 1, 100_000),
  maxWaitingConnections: (value) => checkNumber('maxWaitingConnections', value, 0, 1_000_000),
  limiter(value) {
    if (typeof (value as Partial<ConnectionLimiter> | null)?.reserve !== 'function') {
      throw configError(
        'limiter',
        `must be a connection limiter, such as redisLimiter({ client }) of @rds-iam/redis, got ${kindOf(value)}`,
      );
    }
  },
  retry(value) {
    if (value === false) return;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw configError('retry', `must be an object or false, got ${kindOf(value)}`);
    }
    checkNames('retry option', value, RETRY_RANGES);
    for (const [name, [min, max]] of Object.entries(RETRY_RANGES)) {
      const given = (value as Record<string, unknown>)[name];
      if (given !== undefined) checkNumber(`retry.${name}`, given, min, max);
    }
  },
};

/** Checks every option, with errors that the user can act on, and fills in the defaults. */
export function checkOptions(options: RdsIamOptions = {}): CheckedOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw configError(
      undefined,
      `the IAM options must be an object, such as { region: "eu-west-1" }, got ${kindOf(options)}`,
    );
  }
  checkNames('IAM option', options, CHECKS);
  for (const [name, check] of Object.entries(CHECKS)) {
    const value = options[name as keyof RdsIamOptions];
    if (value !== undefined) check(value);
  }
  if (options.profile !== undefined && options.credentials !== undefined) {
    throw configError('profile', 'cannot be combined with "credentials": give the one that your credentials come from');
  }
  return {
    ...options,
    refreshBeforeExpiryMs: options.refreshBeforeExpiryMs ?? 120_000,
    clockOffsetMs: options.clockOffsetMs ?? 0,
    resolveCname: options.resolveCname ?? true,
    maxWaitingConnections: options.maxWaitingConnections ?? 10_000,
    retryPolicy: retryPolicy(options.retry ?? {}),
  };
}

function retryPolicy(retry: RetryOptions | false): RetryPolicy {
  const given = retry === false ? {} : retry;
  const filled = Object.fromEntries(
    Object.entries(RETRY_RANGES).map(([name, [, , byDefault]]) => [
      name,
      given[name as keyof RetryOptions] ?? byDefault,
    ]),
  ) as unknown as Omit<RetryPolicy, 'enabled'>;
  return { ...filled, enabled: retry !== false };
}

function checkNames(what: string, given: object, known: object): void {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(known, name)) {
      throw configError(undefined, `unknown ${what} "${name}": the known ones are ${Object.keys(known).join(', ')}`);
    }
  }
}

function checkBoolean(name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw configError(name, `must be true or false, got ${kindOf(value)}`);
}

function checkNumber(name: string, value: unknown, min: number, max: number): void {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw configError(name, `must be a whole number from ${min} to ${max}, got ${kindOf(value)}`);
  }
}

function checkCredentials(value: unknown): void {
  if (typeof value === 'function') return;
  const { accessKeyId, secretAccessKey } = (value ?? {}) as Partial<AwsCredentialIdentity>;
  if (typeof accessKeyId !== 'string' || typeof secretAccessKey !== 'string' || !accessKeyId || !secretAccessKey) {
    throw configError(
      'credentials',
      `must be { accessKeyId, secretAccessKey, sessionToken? } or a function that returns them, such as those of @aws-sdk/credential-providers, got ${kindOf(value)}`,
    );
  }
}
