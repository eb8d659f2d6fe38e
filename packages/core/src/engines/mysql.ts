import {
  CONNECTION_LOST,
  type Engine,
  firstMatch,
  type Meaning,
  NO_TLS,
  NOT_AN_IAM_USER,
  PLAINTEXT_REFUSED,
  REFUSED,
  type Rule,
  THROTTLED,
  TLS_NOT_OFFERED,
  TOKEN_REFUSED,
  TOO_MANY,
  TRANSIENT,
} from './engine.js';

/** The RDS user guide recommends staying below this. */
const CONNECTIONS_PER_SECOND = 200;

// RDS Proxy is explicit; the sentences are those of AWS's user guide.
const PROXY_SENTENCES: readonly Rule[] = [
  [/IAM authentication rate limit exceeded|Connections rate limit exceeded/i, THROTTLED],
  [/Number simultaneous connections exceeded/i, TOO_MANY],
  [/This RDS Proxy requires TLS connections/i, PLAINTEXT_REFUSED],
  [/Timed-out waiting to acquire database connection/i, TRANSIENT],
];

// By number, which every driver for MySQL and MariaDB has in `errno`.
const BY_NUMBER: Readonly<Record<number, Meaning>> = {
  // Access denied, by the plugin that checks the token or by any other.
  1045: TOKEN_REFUSED,
  1698: REFUSED,
  // No such plugin; a locked account, by MariaDB's and by MySQL's number; a host that may not connect.
  1524: NOT_AN_IAM_USER,
  4151: REFUSED,
  3118: REFUSED,
  1130: REFUSED,
  1040: TOO_MANY,
  1203: TOO_MANY,
  1226: TOO_MANY,
  // The host is blocked until somebody unblocks it; another attempt only adds to the count.
  1129: { ...TOO_MANY, retry: 'never' },
  3159: PLAINTEXT_REFUSED,
  1053: TRANSIENT,
  9501: TRANSIENT,
  // The connection broke from the server's point of view, on reading or writing.
  1158: TRANSIENT,
  1159: TRANSIENT,
  1160: TRANSIENT,
  1161: TRANSIENT,
  // RDS Proxy's error for anything that it has no words for.
  1105: { code: 'ERR_RDS_IAM_LOGIN', retry: 'few-times' },
};

// mysql2's own codes. It puts one on every TLS failure, even if the connection was only cut off.
// A map, since a code may be the name of a property that every object has.
const BY_DRIVER_CODE: ReadonlyMap<string, readonly Rule[]> = new Map([
  ['PROTOCOL_CONNECTION_LOST', [[/^/, CONNECTION_LOST]]],
  ['HANDSHAKE_NO_SSL_SUPPORT', [[/^/, TLS_NOT_OFFERED]]],
  [
    'HANDSHAKE_SSL_ERROR',
    [
      [/ECONNRESET|ETIMEDOUT|EPIPE|socket disconnected/i, CONNECTION_LOST],
      [/^/, NO_TLS],
    ],
  ],
]);

/** MySQL, MariaDB, and Aurora with their protocol. */
export const mysql: Engine = {
  name: 'mysql',
  connectionsPerSecond: CONNECTIONS_PER_SECOND,
  account: {
    isNone: 'is not identified with AWSAuthenticationPlugin',
    has: 'its AWSAuthenticationPlugin',
    make: "CREATE USER … IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'",
  },
  classify: ({ code, message, errno }) =>
    firstMatch(PROXY_SENTENCES, message) ?? BY_NUMBER[errno] ?? firstMatch(BY_DRIVER_CODE.get(code) ?? [], message),
};
