import { inspect } from 'node:util';

/**
 * What went wrong, as a closed set. Tell errors apart by this code and not by `instanceof`: an application can hold an
 * ES module and a CommonJS copy of this package.
 *
 * | code | meaning | retried |
 * |---|---|---|
 * | `ERR_RDS_IAM_CONFIG` | an option is missing, wrong or contradicts IAM authentication | no |
 * | `ERR_RDS_IAM_REGION` | neither the options, the host name nor the environment name a region | no |
 * | `ERR_RDS_IAM_ENDPOINT` | the DNS aliases of the host name could not be followed | a few times, unless they loop |
 * | `ERR_RDS_IAM_CREDENTIALS` | there are no usable AWS credentials | no |
 * | `ERR_RDS_IAM_SIGNING` | the token could not be signed | no |
 * | `ERR_RDS_IAM_TLS` | the connection is not encrypted to a verified peer | no |
 * | `ERR_RDS_IAM_UNREACHABLE` | the server cannot be reached, or closes or resets the connection | yes |
 * | `ERR_RDS_IAM_REFUSED` | the server refused the login | a few times |
 * | `ERR_RDS_IAM_THROTTLED` | the login is refused because there are too many of them | yes |
 * | `ERR_RDS_IAM_ADMISSION` | too many connections wait to be opened, or its turn did not come before the deadline | no |
 * | `ERR_RDS_IAM_TOO_MANY_CONNECTIONS` | the server has no connection left | yes |
 * | `ERR_RDS_IAM_LOGIN` | the server ended the login for a reason that has nothing to do with IAM; see `cause` | no |
 * | `ERR_RDS_IAM_ABORTED` | the caller's signal was aborted, or the pool was ended | no |
 */
export type RdsIamErrorCode =
  | 'ERR_RDS_IAM_CONFIG'
  | 'ERR_RDS_IAM_REGION'
  | 'ERR_RDS_IAM_ENDPOINT'
  | 'ERR_RDS_IAM_CREDENTIALS'
  | 'ERR_RDS_IAM_SIGNING'
  | 'ERR_RDS_IAM_TLS'
  | 'ERR_RDS_IAM_UNREACHABLE'
  | 'ERR_RDS_IAM_REFUSED'
  | 'ERR_RDS_IAM_THROTTLED'
  | 'ERR_RDS_IAM_ADMISSION'
  | 'ERR_RDS_IAM_TOO_MANY_CONNECTIONS'
  | 'ERR_RDS_IAM_LOGIN'
  | 'ERR_RDS_IAM_ABORTED';

/** What is known about the login that failed. None of it is secret. */
export interface RdsIamErrorDetails {
  /** The host name as the caller gave it. */
  readonly hostname?: string;
  readonly port?: number;
  readonly username?: string;
  /** How many physical connections were tried. */
  readonly attempts?: number;
  /** From the call to the error, in milliseconds. */
  readonly elapsedMs?: number;
}

/**
 * The one error of rds-iam. `message` says what happened, to which endpoint and user, and the likeliest fix; `cause` is
 * the error of the driver, of the AWS SDK or of Node.js behind it, with its own `code`. Neither holds a token or a secret.
 */
export class RdsIamError extends Error implements RdsIamErrorDetails {
  override readonly name = 'RdsIamError';
  readonly code: RdsIamErrorCode;
  declare readonly hostname?: string;
  declare readonly port?: number;
  declare readonly username?: string;
  declare readonly attempts?: number;
  declare readonly elapsedMs?: number;

  constructor(
    code: RdsIamErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly details?: RdsIamErrorDetails } = {},
  ) {
    super(redact(message), 'cause' in options ? { cause: withoutSecrets(options.cause) } : undefined);
    this.code = code;
    Object.assign(this, options.details);
  }
}

/** Whether a value is an {@link RdsIamError}, of whichever copy of this package. */
export function isRdsIamError(value: unknown): value is RdsIamError {
  return (
    value instanceof Error &&
    value.name === 'RdsIamError' &&
    'code' in value &&
    typeof value.code === 'string' &&
    value.code.startsWith('ERR_RDS_IAM_')
  );
}

/** An `ERR_RDS_IAM_CONFIG`, for an adapter that refuses an option of its own. */
export function configError(message: string, cause?: unknown): RdsIamError {
  return new RdsIamError('ERR_RDS_IAM_CONFIG', message, cause === undefined ? {} : { cause });
}

/**
 * An error of ours with where it happened put to it: a new one, as the error of a shared signing or credentials request
 * reaches callers of several endpoints.
 */
export function errorAt(
  { hostname, port, username }: { readonly hostname: string; readonly port: number; readonly username: string },
  error: RdsIamError,
  details: RdsIamErrorDetails = {},
): RdsIamError {
  return new RdsIamError(error.code, `${error.message} [${hostname}:${port} as "${username}"]`, {
    ...('cause' in error && { cause: error.cause }),
    details: { hostname, port, username, ...details },
  });
}

/** What a value is, for a message about it: never its content, which could be a secret. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  if (value === '') return 'an empty string';
  if (Array.isArray(value)) return 'an array';
  switch (typeof value) {
    case 'object':
      return 'an object';
    case 'number':
      return `the number ${value}`;
    case 'boolean':
      return String(value);
    default:
      return `a ${typeof value}`;
  }
}

const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/[^\s"'`/]*\/?\?Action=connect&[^\s"'`]*/gi, '[token]'],
  [/(X-Amz-(?:Signature|Security-Token)=)[^&\s"'`]+/gi, '$1[redacted]'],
  [/((?:secret|session|security)[\w-]*(?:key|token)["'`]?\s*[:=]\s*["'`]?)[^\s"'`,}]+/gi, '$1[redacted]'],
  [
    /(?<![A-Za-z0-9+/=])(?=[A-Za-z0-9+/]*[A-Z])(?=[A-Za-z0-9+/]*[0-9])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])/g,
    '[redacted]',
  ],
];

/** Takes tokens, and what looks like a secret of AWS, out of a text. */
export function redact(text: string): string {
  return SECRETS.reduce((redacted, [pattern, replacement]) => redacted.replace(pattern, replacement), text);
}

/**
 * The error itself where it holds no secret, else a copy without. A driver's error stays the very object that the driver
 * made; the copy is for providers and servers that put into their messages what they should not.
 */
export function withoutSecrets(error: unknown): unknown {
  const shown = inspect(error, { depth: 8, showHidden: true, breakLength: Number.POSITIVE_INFINITY });
  if (redact(shown) === shown) return error;
  if (!(error instanceof Error)) return redact(shown);
  const copy = new Error(
    redact(error.message),
    error.cause === undefined ? {} : { cause: withoutSecrets(error.cause) },
  );
  copy.name = error.name;
  copy.stack = redact(error.stack ?? '');
  return 'code' in error ? Object.assign(copy, { code: error.code }) : copy;
}

/** An attempt that took longer than it may. */
export class AttemptTimeout extends Error {
  readonly code = 'ETIMEDOUT';

  constructor(afterMs: number, cause: unknown) {
    super(`no answer within ${Math.round(afterMs)} ms`, { cause });
  }
}
