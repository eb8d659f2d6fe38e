// One AWS API call, with a time limit and with errors that say what to do.
import { CliError, EXIT } from './exit-code.js';

export interface AwsCallOptions {
  /** Aborted by Ctrl-C. */
  readonly signal?: AbortSignal | undefined;
  /** How long the call may take, including the SDK's own retries, in milliseconds. @defaultValue 30_000 */
  readonly timeoutMs?: number | undefined;
}

const TIMEOUT_MS = 30_000;

/** An AWS call failed; the message says why and what to do. */
export class AwsError extends CliError {
  override readonly name = 'AwsError';

  constructor(
    readonly code: AwsErrorCode,
    message: string,
    options: ErrorOptions & {
      /** Such as `rds:DescribeDBInstances`. */
      readonly action: string;
      /** AWS's own code, such as `DBInstanceNotFound`. */
      readonly awsCode?: string | undefined;
    },
  ) {
    super(message, options);
    this.action = options.action;
    this.awsCode = options.awsCode;
  }

  readonly action: string;
  readonly awsCode: string | undefined;

  /** The same error with another message. */
  with(message: string): AwsError {
    return new AwsError(this.code, message, { cause: this.cause, action: this.action, awsCode: this.awsCode });
  }

  override get exitCode(): number {
    return this.code === 'ERR_RDS_IAM_CREDENTIALS' ? EXIT.credentials : EXIT.failed;
  }
}

/** Why a call failed. */
export type AwsErrorCode =
  | 'ERR_RDS_IAM_CREDENTIALS'
  | 'ERR_RDS_IAM_AWS_DENIED'
  | 'ERR_RDS_IAM_AWS_THROTTLED'
  | 'ERR_RDS_IAM_AWS_TIMEOUT'
  | 'ERR_RDS_IAM_AWS_UNREACHABLE'
  | 'ERR_RDS_IAM_AWS_MALFORMED'
  | 'ERR_RDS_IAM_AWS_REFUSED';

/**
 * Calls AWS.
 *
 * @param action - IAM's name for it, such as `rds:DescribeDBInstances`
 * @param ask - sends the request; undefined if the answer lacks what was asked for
 * @throws AwsError; if `signal` was aborted, its reason
 */
export async function callAws<Answer>(
  action: string,
  ask: (options: { readonly abortSignal: AbortSignal }) => Promise<Answer | undefined>,
  { signal, timeoutMs = TIMEOUT_MS }: AwsCallOptions = {},
): Promise<Answer> {
  const timeout = AbortSignal.timeout(timeoutMs);
  let answer: Answer | undefined;
  try {
    answer = await ask({ abortSignal: signal ? AbortSignal.any([signal, timeout]) : timeout });
  } catch (cause) {
    signal?.throwIfAborted();
    if (timeout.aborted) {
      throw new AwsError(
        'ERR_RDS_IAM_AWS_TIMEOUT',
        `AWS did not answer ${action} in ${timeoutMs / 1000} seconds: try again; if it keeps happening, check the network path to AWS (VPN, firewall, VPC endpoint)`,
        { cause, action },
      );
    }
    throw explained(action, cause);
  }
  if (answer === undefined) throw malformed(action, undefined);
  return answer;
}

const CREDENTIALS =
  /^(?:CredentialsProviderError|TokenProviderError|ExpiredToken(?:Exception)?|InvalidClientTokenId|InvalidAccessKeyId|UnrecognizedClientException|SignatureDoesNotMatch|InvalidSignatureException|MissingAuthenticationToken|IncompleteSignature|RequestExpired|OptInRequired)$/;
const DENIED = /^(?:AccessDenied(?:Exception)?|UnauthorizedOperation|AuthFailure|NotAuthorized)$/;
const THROTTLED = /Throttl|TooManyRequests|RequestLimitExceeded|SlowDown/;

interface SdkError {
  readonly name?: unknown;
  /** The error code in the query protocol, as the service sent it. */
  readonly Code?: unknown;
  /** Node.js's code, such as `ECONNREFUSED`. */
  readonly code?: unknown;
  readonly message?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

function explained(action: string, cause: unknown): AwsError {
  const error = (typeof cause === 'object' && cause !== null ? cause : {}) as SdkError;
  const awsCode = String(error.Code ?? error.name ?? '');
  const said = `${awsCode}: ${String(error.message ?? cause)}`;
  const make = (code: AwsErrorCode, message: string) => new AwsError(code, message, { cause, action, awsCode });
  if (CREDENTIALS.test(awsCode)) {
    return make(
      'ERR_RDS_IAM_CREDENTIALS',
      `no AWS credentials for ${action} (${said}): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, give --profile, or renew them (for SSO: aws sso login)`,
    );
  }
  if (DENIED.test(awsCode)) {
    return make(
      'ERR_RDS_IAM_AWS_DENIED',
      `these AWS credentials may not ${action}: allow that action in a policy, or use other credentials with --profile (AWS said: ${said})`,
    );
  }
  if (THROTTLED.test(awsCode)) {
    return make(
      'ERR_RDS_IAM_AWS_THROTTLED',
      `AWS throttles ${action}: there are too many requests from this account (${said}); try again in a minute`,
    );
  }
  if (error.$metadata?.httpStatusCode === undefined && typeof error.code === 'string') {
    return make(
      'ERR_RDS_IAM_AWS_UNREACHABLE',
      `AWS cannot be reached for ${action} (${String(error.message)}): check the network, --region, and AWS_ENDPOINT_URL if it is set`,
    );
  }
  // The service's own errors have a code; a response that could not be parsed has none.
  if (!awsCode || awsCode === 'Error' || awsCode === 'Unknown' || cause instanceof SyntaxError)
    return malformed(action, cause);
  return make('ERR_RDS_IAM_AWS_REFUSED', `AWS refused ${action}: ${said}`);
}

function malformed(action: string, cause: unknown): AwsError {
  return new AwsError(
    'ERR_RDS_IAM_AWS_MALFORMED',
    `the response to ${action} did not come from AWS: there may be a proxy or a captive portal in between, or AWS_ENDPOINT_URL is wrong`,
    { cause, action },
  );
}
