import { AttemptTimeout, isRdsIamError, type RdsIamError, type RdsIamErrorCode, redact } from './errors.js';

/** What a failed attempt to log in means, as far as the error alone tells. */
export interface Classification {
  readonly code: RdsIamErrorCode;
  /**
   * `until-deadline`: passes by itself. `few-times`: could, but more likely will not. `never`: cannot get better.
   */
  readonly retry: 'until-deadline' | 'few-times' | 'never';
  /** What the server or the system said, for the message of the final error. */
  readonly evidence: string;
  /** Which known cause this is, where the words give it away. */
  readonly hint?: Hint;
  /** Present where a MySQL or MariaDB said it: the ways of mending differ. */
  readonly engine?: 'mysql';
}

/** A cause that the words of a refusal give away. */
export type Hint = 'token-refused' | 'no-rds-iam' | 'plaintext-refused' | 'no-tls' | 'proxy-secret' | 'name-not-found';

type Outcome = Omit<Classification, 'evidence' | 'engine'>;
type Rule = readonly [pattern: RegExp, outcome: Outcome];

const THROTTLED = { code: 'ERR_RDS_IAM_THROTTLED', retry: 'until-deadline' } as const;
const TOO_MANY = { code: 'ERR_RDS_IAM_TOO_MANY_CONNECTIONS', retry: 'until-deadline' } as const;
const TRANSIENT = { code: 'ERR_RDS_IAM_UNREACHABLE', retry: 'until-deadline' } as const;
const TOKEN_REFUSED = { code: 'ERR_RDS_IAM_REFUSED', retry: 'few-times', hint: 'token-refused' } as const;
const NO_RDS_IAM = { code: 'ERR_RDS_IAM_REFUSED', retry: 'never', hint: 'no-rds-iam' } as const;
const PLAINTEXT_REFUSED = { code: 'ERR_RDS_IAM_TLS', retry: 'never', hint: 'plaintext-refused' } as const;
const NO_TLS = { code: 'ERR_RDS_IAM_TLS', retry: 'never', hint: 'no-tls' } as const;

// RDS Proxy says what it means; the sentences are those of AWS's user guide.
const PROXY_SENTENCES: readonly Rule[] = [
  [/too many competing requests|IAM authentication rate limit exceeded|Connections rate limit exceeded/i, THROTTLED],
  [/Rate of connection to proxy exceeded/i, THROTTLED],
  [/maximum number of client connections to the proxy exceeded|Number simultaneous connections exceeded/i, TOO_MANY],
  [
    /IAM (?:authentication )?is allowed only with SSL connections|This RDS Proxy requires TLS connections/i,
    PLAINTEXT_REFUSED,
  ],
  [/IAM authentication failed for (?:user|the role)/i, TOKEN_REFUSED],
  [
    /This RDS proxy has no credentials for the role/i,
    { code: 'ERR_RDS_IAM_REFUSED', retry: 'never', hint: 'proxy-secret' },
  ],
  [/Timed-out waiting to acquire database connection/i, TRANSIENT],
];

const POSTGRES_MESSAGES: Readonly<Record<string, readonly Rule[]>> = {
  '28000': [
    [/PAM authentication failed/i, TOKEN_REFUSED],
    [/no pg_hba\.conf entry .*(?:no encryption|SSL off)/i, PLAINTEXT_REFUSED],
    [/^role ".*" does not exist/i, NO_RDS_IAM],
    [/./, { code: 'ERR_RDS_IAM_REFUSED', retry: 'never' }],
  ],
  // Asking for a stored password at all means that the user is not a member of rds_iam.
  '28P01': [[/./, NO_RDS_IAM]],
  '53300': [[/./, TOO_MANY]],
  '57014': [[/canceling authentication due to timeout/i, TRANSIENT]],
};

// By number, as every driver of MySQL and MariaDB has it in `errno`.
const MYSQL_ERRORS: Readonly<Record<number, Outcome>> = {
  // Access denied: by the plugin that checks the token, and by any other.
  1045: TOKEN_REFUSED,
  1698: { code: 'ERR_RDS_IAM_REFUSED', retry: 'never' },
  // No such plugin; an account that is locked, as MariaDB and as MySQL says it; a host that is not let in.
  1524: NO_RDS_IAM,
  4151: { code: 'ERR_RDS_IAM_REFUSED', retry: 'never' },
  3118: { code: 'ERR_RDS_IAM_REFUSED', retry: 'never' },
  1130: { code: 'ERR_RDS_IAM_REFUSED', retry: 'never' },
  1040: TOO_MANY,
  1203: TOO_MANY,
  1226: TOO_MANY,
  // Blocked until somebody unblocks it; another attempt only counts as one more.
  1129: { code: 'ERR_RDS_IAM_TOO_MANY_CONNECTIONS', retry: 'never' },
  3159: PLAINTEXT_REFUSED,
  1053: TRANSIENT,
  9501: TRANSIENT,
  // The connection broke as the server saw it, reading or writing.
  1158: TRANSIENT,
  1159: TRANSIENT,
  1160: TRANSIENT,
  1161: TRANSIENT,
  // What RDS Proxy says of anything that it has no words for.
  1105: { code: 'ERR_RDS_IAM_LOGIN', retry: 'few-times' },
};

// mysql2's own codes. It puts one on every failure of TLS, also of one that was only cut off.
const MYSQL2_CODES: Readonly<Record<string, readonly Rule[]>> = {
  PROTOCOL_CONNECTION_LOST: [[/^/, TRANSIENT]],
  HANDSHAKE_NO_SSL_SUPPORT: [[/^/, NO_TLS]],
  HANDSHAKE_SSL_ERROR: [
    [/ECONNRESET|ETIMEDOUT|EPIPE|socket disconnected/i, TRANSIENT],
    [/^/, { code: 'ERR_RDS_IAM_TLS', retry: 'never' }],
  ],
};

const TRANSIENT_SQLSTATE = /^(?:08|57P0)/;
const TRANSIENT_SYSTEM =
  /^(?:ECONNRESET|ECONNREFUSED|ECONNABORTED|ETIMEDOUT|EPIPE|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|EADDRNOTAVAIL|EAI_AGAIN|ABORT_ERR)$/;
const CERTIFICATE =
  /^(?:ERR_TLS_|ERR_SSL_|ERR_OSSL_|EPROTO$|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERROR_IN_CERT|INVALID_CA|PATH_LENGTH_|HOSTNAME_MISMATCH|INVALID_PURPOSE)/;

// Errors of the drivers that carry no code at all.
const MESSAGES: readonly Rule[] = [
  [/server does not support SSL/i, NO_TLS],
  [/error establishing an SSL connection/i, { code: 'ERR_RDS_IAM_TLS', retry: 'few-times', hint: 'no-tls' }],
  [/Connection terminated|timeout expired|socket hang up|Connection ended unexpectedly/i, TRANSIENT],
];

/** Reads a driver's error. Pure; the history of the endpoint is for the retry policy to weigh. */
export function classify(error: unknown): Classification {
  const { code, message, errno } = shapeOf(error);
  const evidence = redact(code && message ? `${message} (${code})` : message || code || 'no reason given');
  return { ...classifyShape(code, message, errno, error), evidence, ...(errno > 0 && { engine: 'mysql' }) };
}

function classifyShape(code: string, message: string, errno: number, error: unknown): Outcome {
  if (isRdsIamError(error)) return { code: error.code, retry: retryOf(error) };
  const proxy = firstMatch(PROXY_SENTENCES, message);
  if (proxy) return proxy;
  const postgres = firstMatch(POSTGRES_MESSAGES[code] ?? [], message);
  if (postgres) return postgres;
  const mysql = MYSQL_ERRORS[errno] ?? firstMatch(MYSQL2_CODES[code] ?? [], message);
  if (mysql) return mysql;
  if (CERTIFICATE.test(code)) return { code: 'ERR_RDS_IAM_TLS', retry: 'never' };
  if (code === 'ENOTFOUND') return { code: 'ERR_RDS_IAM_UNREACHABLE', retry: 'few-times', hint: 'name-not-found' };
  if (TRANSIENT_SQLSTATE.test(code) || TRANSIENT_SYSTEM.test(code)) return TRANSIENT;
  return (code === '' && firstMatch(MESSAGES, message)) || { code: 'ERR_RDS_IAM_LOGIN', retry: 'never' };
}

function retryOf({ code, cause }: RdsIamError): Classification['retry'] {
  if (cause instanceof AttemptTimeout) return 'until-deadline';
  return code === 'ERR_RDS_IAM_ENDPOINT' && cause !== undefined ? 'few-times' : 'never';
}

function firstMatch(rules: readonly Rule[], message: string): Rule[1] | undefined {
  return rules.find(([pattern]) => pattern.test(message))?.[1];
}

interface Shape {
  readonly code: string;
  readonly message: string;
  /** Positive for what a MySQL server says, negative for what the system says, 0 where there is none. */
  readonly errno: number;
}

function shapeOf(error: unknown): Shape {
  if (typeof error !== 'object' || error === null) return { code: '', message: String(error), errno: 0 };
  const { code, message, errno } = error as { readonly [Name in keyof Shape]?: unknown };
  return {
    code: typeof code === 'string' ? code : '',
    message: typeof message === 'string' ? message : '',
    errno: typeof errno === 'number' ? errno : 0,
  };
}
