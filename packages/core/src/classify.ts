import {
  CONNECTION_LOST,
  type Engine,
  type ErrorShape,
  type Meaning,
  NO_TLS,
  NOT_AN_IAM_USER,
  PLAINTEXT_REFUSED,
  REFUSED,
  TLS_FAILED,
  TLS_NOT_OFFERED,
  TOKEN_REFUSED,
  TRANSIENT,
} from './engines/engine.js';
import { unnamed } from './engines/unnamed.js';
import { isRdsIamError, type RdsIamError } from './errors.js';
import { type FailureKind, isLoginFailure } from './failure.js';
import { redact } from './redaction.js';
import { isShortage } from './shortage.js';

/** What a failed attempt to log in means, as far as the error alone can tell. */
export interface Classification extends Meaning {
  /** What the server or the system said, for the message of the final error. */
  readonly evidence: string;
}

const BY_KIND: Readonly<Record<FailureKind, Meaning>> = {
  'token-refused': TOKEN_REFUSED,
  'stored-password-wanted': { ...NOT_AN_IAM_USER, kind: 'stored-password-wanted' },
  'not-an-iam-user': NOT_AN_IAM_USER,
  'plaintext-refused': PLAINTEXT_REFUSED,
  'tls-not-offered': TLS_NOT_OFFERED,
  'tls-failed': TLS_FAILED,
  'peer-not-verified': { ...NO_TLS, kind: 'peer-not-verified' },
  'proxy-secret-missing': { ...REFUSED, kind: 'proxy-secret-missing' },
  'name-not-found': { code: 'ERR_RDS_IAM_UNREACHABLE', retry: 'few-times', kind: 'name-not-found' },
  'connection-lost': CONNECTION_LOST,
  'protocol-violated': { code: 'ERR_RDS_IAM_LOGIN', retry: 'never', kind: 'protocol-violated' },
  'credentials-expired': { code: 'ERR_RDS_IAM_CREDENTIALS', retry: 'never', kind: 'credentials-expired' },
  'timed-out': { ...TRANSIENT, kind: 'timed-out' },
};

const TRANSIENT_SYSTEM =
  /^(?:ECONNRESET|ECONNREFUSED|ECONNABORTED|ETIMEDOUT|EPIPE|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|EADDRNOTAVAIL|EAI_AGAIN|ABORT_ERR)$/;
const CERTIFICATE =
  /^(?:ERR_TLS_|ERR_SSL_|ERR_OSSL_|EPROTO$|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERROR_IN_CERT|INVALID_CA|PATH_LENGTH_|HOSTNAME_MISMATCH|INVALID_PURPOSE)/;
// Node.js's own error, which has a code only in some versions.
const HUNG_UP = /^socket hang up$/;

/**
 * Classifies the error of an attempt: a failure whose kind its adapter knows, or else an error of a driver, a server or the
 * system. Pure; weighing the endpoint's history is up to the retry policy.
 */
export function classify(error: unknown, engine: Engine = unnamed): Classification {
  const shape = shapeOf(error);
  const { code, message } = shape;
  const evidence = redact(code && message ? `${message} (${code})` : message || code || 'no reason given');
  return { ...meaningOf(error, shape, engine), evidence };
}

function meaningOf(error: unknown, shape: ErrorShape, engine: Engine): Meaning {
  if (isRdsIamError(error)) {
    return { code: error.code, retry: retryOf(error), ...(error.kind && { kind: error.kind }) };
  }
  if (isShortage(error)) return TRANSIENT;
  if (isLoginFailure(error)) return BY_KIND[error.kind];
  return engine.classify(shape) ?? ofTheSystem(shape) ?? { code: 'ERR_RDS_IAM_LOGIN', retry: 'never' };
}

function ofTheSystem({ code, message }: ErrorShape): Meaning | undefined {
  if (CERTIFICATE.test(code)) return NO_TLS;
  if (code === 'ENOTFOUND') return BY_KIND['name-not-found'];
  if (TRANSIENT_SYSTEM.test(code)) return TRANSIENT;
  return code === '' && HUNG_UP.test(message) ? CONNECTION_LOST : undefined;
}

function retryOf({ code, kind, cause }: RdsIamError): Meaning['retry'] {
  if (kind === 'timed-out' || isShortage(cause)) return 'until-deadline';
  return code === 'ERR_RDS_IAM_ENDPOINT' && cause !== undefined ? 'few-times' : 'never';
}

function shapeOf(error: unknown): ErrorShape {
  if (typeof error !== 'object' || error === null) return { code: '', message: String(error), errno: 0 };
  const { code, message, errno } = error as { readonly [Name in keyof ErrorShape]?: unknown };
  return {
    code: typeof code === 'string' ? code : '',
    message: typeof message === 'string' ? message : '',
    errno: typeof errno === 'number' ? errno : 0,
  };
}
