import type { FailureKind } from './failure.js';
import type { Phase } from './login.js';
import { redact, withoutSecrets } from './redaction.js';

/**
 * What went wrong, as a closed set. Tell errors apart by this code and not by `instanceof`: an application can load both the
 * ES module and the CommonJS copy of this package.
 *
 * | code | meaning | retried |
 * |---|---|---|
 * | `ERR_RDS_IAM_CONFIG` | an option is missing, wrong or contradicts IAM authentication | no |
 * | `ERR_RDS_IAM_REGION` | neither the options nor the host name nor the environment names a region | no |
 * | `ERR_RDS_IAM_ENDPOINT` | the DNS aliases of the host name could not be followed | a few times, unless they loop |
 * | `ERR_RDS_IAM_CREDENTIALS` | there are no usable AWS credentials | no |
 * | `ERR_RDS_IAM_SIGNING` | the token could not be signed | no |
 * | `ERR_RDS_IAM_TLS` | the connection is not encrypted to a verified peer | no |
 * | `ERR_RDS_IAM_UNREACHABLE` | the server cannot be reached, or closes or resets the connection | yes |
 * | `ERR_RDS_IAM_REFUSED` | the server refused the login | a few times |
 * | `ERR_RDS_IAM_THROTTLED` | the login is refused because there are too many of them | yes |
 * | `ERR_RDS_IAM_ADMISSION` | too many connections are waiting to be opened, or its turn did not come before the deadline | no |
 * | `ERR_RDS_IAM_TOO_MANY_CONNECTIONS` | the server has no connection left | yes |
 * | `ERR_RDS_IAM_LOGIN` | the server ended the login for a reason that has nothing to do with IAM; see `cause` | no |
 * | `ERR_RDS_IAM_ABORTED` | the caller's signal was aborted, or the pool was ended | no |
 */
export type RdsIamErrorCode = RdsIamError['code'];

/** What is known about the failed login. None of it is secret. */
export interface RdsIamErrorDetails {
  /** The host name as given by the caller. */
  readonly hostname?: string;
  readonly port?: number;
  readonly username?: string;
  /** How many attempts there were to open a physical connection. */
  readonly attempts?: number;
  /** From the call to the error, in milliseconds. */
  readonly elapsedMs?: number;
  /** The step that the failed attempt had reached. */
  readonly phase?: Phase;
}

interface ErrorOf<Code extends string> extends Error {
  readonly name: 'RdsIamError';
  readonly code: Code;
}

/** An option is missing, wrong or contradicts IAM authentication. */
export interface RdsIamConfigError extends ErrorOf<'ERR_RDS_IAM_CONFIG'>, RdsIamErrorDetails {
  /** The name of the option to blame, such as `retry.timeoutMs`, if there is one. */
  readonly option?: string;
  /** What is wrong with it, and the fix: the message without the name of the option. */
  readonly problem: string;
  readonly kind?: undefined;
}

/** A physical connection could not be opened. */
export interface RdsIamLoginError
  extends ErrorOf<
      | 'ERR_RDS_IAM_TLS'
      | 'ERR_RDS_IAM_UNREACHABLE'
      | 'ERR_RDS_IAM_REFUSED'
      | 'ERR_RDS_IAM_THROTTLED'
      | 'ERR_RDS_IAM_TOO_MANY_CONNECTIONS'
      | 'ERR_RDS_IAM_LOGIN'
    >,
    Required<RdsIamErrorDetails> {
  /** What exactly went wrong, if that is known. */
  readonly kind?: FailureKind;
}

/** Something that a login needs could not be obtained, or the caller gave up. */
export interface RdsIamOtherError
  extends ErrorOf<
      | 'ERR_RDS_IAM_REGION'
      | 'ERR_RDS_IAM_ENDPOINT'
      | 'ERR_RDS_IAM_CREDENTIALS'
      | 'ERR_RDS_IAM_SIGNING'
      | 'ERR_RDS_IAM_ADMISSION'
      | 'ERR_RDS_IAM_ABORTED'
    >,
    RdsIamErrorDetails {
  readonly kind?: FailureKind;
}

/**
 * The one error of rds-iam. `message` says what happened, to which endpoint and user, and the likeliest fix; `cause` is
 * the error of the driver, the AWS SDK or Node.js behind it, with its own `code`. Neither contains a token or a secret.
 * `code` determines which fields there are.
 */
export type RdsIamError = RdsIamConfigError | RdsIamLoginError | RdsIamOtherError;

interface Given extends RdsIamErrorDetails {
  readonly kind?: FailureKind | undefined;
  readonly option?: string | undefined;
  readonly problem?: string;
}

/** The class of {@link RdsIamError}. */
export interface RdsIamErrorClass {
  readonly prototype: RdsIamError;
  new (
    code: RdsIamErrorCode,
    message: string,
    options?: { readonly cause?: unknown; readonly details?: Given },
  ): RdsIamError;
}

/**
 * Makes an `RdsIamError`, for an adapter that has one of its own to throw. Applications tell errors apart by
 * {@link isRdsIamError} and `code`.
 */
export const RdsIamError = class RdsIamError extends Error {
  override readonly name = 'RdsIamError';
  readonly code: RdsIamErrorCode;

  constructor(
    code: RdsIamErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly details?: Given } = {},
  ) {
    super(redact(message), 'cause' in options ? { cause: withoutSecrets(options.cause) } : undefined);
    this.code = code;
    for (const [name, value] of Object.entries(options.details ?? {})) {
      if (value !== undefined) Object.assign(this, { [name]: value });
    }
  }
} as unknown as RdsIamErrorClass;

/** Whether a value is an {@link RdsIamError}, from any copy of this package. */
export function isRdsIamError(value: unknown): value is RdsIamError {
  return (
    value instanceof Error &&
    value.name === 'RdsIamError' &&
    'code' in value &&
    typeof value.code === 'string' &&
    value.code.startsWith('ERR_RDS_IAM_')
  );
}

/**
 * Makes an `ERR_RDS_IAM_CONFIG`.
 *
 * @param option - the name of the option, such as `retry.timeoutMs`; undefined if no single one is to blame
 * @param problem - what is wrong with it, and the fix: the text that follows the name of the option in the message
 */
export function configError(option: string | undefined, problem: string, cause?: unknown): RdsIamError {
  const message = option === undefined ? problem : `"${option}" ${problem}`;
  const details = { option, problem: redact(problem) };
  return new RdsIamError('ERR_RDS_IAM_CONFIG', message, cause === undefined ? { details } : { details, cause });
}

/**
 * A copy of an `RdsIamError` with the endpoint where it happened. It is a copy because the error of a shared signing or
 * credentials request reaches callers of several endpoints.
 *
 * @param further - text to append to the message
 */
export function errorAt(
  { hostname, port, username }: { readonly hostname: string; readonly port: number; readonly username: string },
  error: RdsIamError,
  details: RdsIamErrorDetails = {},
  further = '',
): RdsIamError {
  const { option, problem } = error as Partial<RdsIamConfigError>;
  return new RdsIamError(error.code, `${error.message}${further} [${hostname}:${port} as "${username}"]`, {
    ...('cause' in error && { cause: error.cause }),
    details: {
      kind: error.kind,
      option,
      ...(problem !== undefined && { problem }),
      hostname,
      port,
      username,
      ...details,
    },
  });
}

/** Describes the kind of a value for an error message: never its content, which could be a secret. */
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
