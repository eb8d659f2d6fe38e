/**
 * What went wrong in a login, if that is known, as a closed set.
 *
 * | kind | meaning |
 * |---|---|
 * | `token-refused` | the server refused the token, or throttles logins and uses the same words for that |
 * | `stored-password-wanted` | the server asked for a stored password in place of a token, so none was sent |
 * | `not-an-iam-user` | the server says that this user does not log in with IAM |
 * | `plaintext-refused` | the server says that the connection is not encrypted |
 * | `tls-not-offered` | the server does not offer TLS, so no token was sent |
 * | `tls-failed` | the server says that it cannot use TLS at the moment |
 * | `peer-not-verified` | the connection is not encrypted to the intended server, so no token was sent |
 * | `proxy-secret-missing` | the RDS Proxy has no secret for the user |
 * | `name-not-found` | the DNS does not know the host name |
 * | `connection-lost` | the connection was closed before the login was over |
 * | `protocol-violated` | the peer does not speak the database's protocol |
 * | `credentials-expired` | the AWS credentials have expired, and their source has no newer ones |
 * | `timed-out` | an attempt, or all of them together, took longer than allowed |
 */
export type FailureKind =
  | 'token-refused'
  | 'stored-password-wanted'
  | 'not-an-iam-user'
  | 'plaintext-refused'
  | 'tls-not-offered'
  | 'tls-failed'
  | 'peer-not-verified'
  | 'proxy-secret-missing'
  | 'name-not-found'
  | 'connection-lost'
  | 'protocol-violated'
  | 'credentials-expired'
  | 'timed-out';

const MESSAGES: Readonly<Partial<Record<FailureKind, string>>> = {
  'stored-password-wanted': 'the server asks for a stored password',
  'tls-not-offered': 'the server does not offer TLS',
  'tls-failed': 'the server cannot establish TLS',
  'connection-lost': 'the server closed the connection during the login',
};

/**
 * Thrown by an adapter from `open` if it knows what went wrong: the kind decides how the failure is handled, and the text is
 * for people. A driver's or server's error that speaks for itself is thrown as it is.
 */
export class LoginFailure extends Error {
  override readonly name = 'LoginFailure';
  readonly kind: FailureKind;

  /** @param message - what the server did; by default a sentence for the kind */
  constructor(kind: FailureKind, message?: string, options?: { readonly cause?: unknown }) {
    super(message ?? MESSAGES[kind] ?? kind, options);
    this.kind = kind;
  }
}

/** Whether a value is a {@link LoginFailure}, from any copy of this package. */
export function isLoginFailure(value: unknown): value is LoginFailure {
  return value instanceof Error && value.name === 'LoginFailure' && 'kind' in value;
}

export function timedOut(afterMs: number, cause: unknown): LoginFailure {
  return new LoginFailure('timed-out', `no answer within ${Math.round(afterMs)} ms`, { cause });
}
