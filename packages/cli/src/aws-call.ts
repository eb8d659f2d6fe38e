// One call of AWS's API: bounded in time, and its failure said in words that lead on.
import { CliError, EXIT } from './exit-code.js';

export interface AwsCallOptions {
  /** Who waits no longer: Ctrl-C. */
  readonly signal?: AbortSignal | undefined;
  /** How long the answer may take, with the SDK's own retries, in milliseconds. @defaultValue 30_000 */
  readonly timeoutMs?: number | undefined;
}

const TIMEOUT_MS = 30_000;

/** AWS did not do what it was asked to; the message says why and what to do. */
export class AwsError extends CliError {
  override readonly name = 'AwsError';

  constructor(
    readonly code: AwsErrorCode,
    message: string,
    options: ErrorOptions & {
      /** As in `rds:DescribeDBInstances`. */
      readonly action: string;
      /** AWS's own code, as in `DBInstanceNotFound`. */
      readonly awsCode?: string | undefined;
    },
  ) {
    super(message, options);
    this.action = options.action;
    this.awsCode = options.awsCode;
  }

  readonly action: string;
  readonly awsCode: string | undefined;

  /** The same in other words. */
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
 * Asks AWS.
 *
 * @param action - as IAM calls it: `rds:DescribeDBInstances`
 * @param ask - sends the request; an answer without what was asked for is undefined
 * @throws AwsError; where `signal` was aborted, its reason
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
        `AWS did not answer ${action} in ${timeoutMs / 1000} seconds: try again; if it goes on, look at the way to AWS (VPN, firewall, VPC endpoint)`,
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
  /** Of the query protocol, as the service sent it. */
  readonly Code?: unknown;
  /** Of Node.js: `ECONNREFUSED`. */
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
      `no AWS credentials that ${action} could be asked with (${said}): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, give --profile, or renew them (for SSO: aws sso login)`,
    );
  }
  if (DENIED.test(awsCode)) {
    return make(
      'ERR_RDS_IAM_AWS_DENIED',
      `these AWS credentials may not ${action}: allow that action in a policy of theirs, or take others with --profile (AWS said: ${said})`,
    );
  }
  if (THROTTLED.test(awsCode)) {
    return make(
      'ERR_RDS_IAM_AWS_THROTTLED',
      `AWS has too many requests of this account to answer ${action} (${said}): try again in a minute`,
    );
  }
  if (error.$metadata?.httpStatusCode === undefined && typeof error.code === 'string') {
    return make(
      'ERR_RDS_IAM_AWS_UNREACHABLE',
      `AWS cannot be reached for ${action} (${String(error.message)}): look at the network, --region, and AWS_ENDPOINT_URL if it is set`,
    );
  }
  // The service names what it refuses; an answer that could not be read has no code of it.
  if (!awsCode || awsCode === 'Error' || awsCode === 'Unknown' || cause instanceof SyntaxError)
    return malformed(action, cause);
  return make('ERR_RDS_IAM_AWS_REFUSED', `AWS refused ${action}: ${said}`);
}

function malformed(action: string, cause: unknown): AwsError {
  return new AwsError(
    'ERR_RDS_IAM_AWS_MALFORMED',
    `what came back for ${action} is no answer of AWS's: a proxy or a captive portal may stand in between, or AWS_ENDPOINT_URL leads elsewhere`,
    { cause, action },
  );
}
