import {
  CONNECTION_LOST,
  type Engine,
  firstMatch,
  NOT_AN_IAM_USER,
  PLAINTEXT_REFUSED,
  REFUSED,
  type Rule,
  THROTTLED,
  TLS_FAILED,
  TLS_NOT_OFFERED,
  TOKEN_REFUSED,
  TOO_MANY,
  TRANSIENT,
} from './engine.js';

// RDS Proxy is explicit; the sentences are those of AWS's user guide.
const PROXY_SENTENCES: readonly Rule[] = [
  [/too many competing requests|Rate of connection to proxy exceeded/i, THROTTLED],
  [/maximum number of client connections to the proxy exceeded/i, TOO_MANY],
  [
    /IAM (?:authentication )?is allowed only with SSL connections|This RDS Proxy requires TLS connections/i,
    PLAINTEXT_REFUSED,
  ],
  [/IAM authentication failed for (?:user|the role)/i, TOKEN_REFUSED],
  [/This RDS proxy has no credentials for the role/i, { ...REFUSED, kind: 'proxy-secret-missing' }],
  [/Timed-out waiting to acquire database connection/i, TRANSIENT],
];

// A map, since a server may send as its code the name of a property that every object has.
const BY_SQLSTATE: ReadonlyMap<string, readonly Rule[]> = new Map([
  [
    '28000',
    [
      [/PAM authentication failed/i, TOKEN_REFUSED],
      [/no pg_hba\.conf entry .*(?:no encryption|SSL off)/i, PLAINTEXT_REFUSED],
      [/^role ".*" does not exist/i, NOT_AN_IAM_USER],
      [/./, REFUSED],
    ],
  ],
  // A server that asks for a stored password does not see the user as a member of rds_iam.
  ['28P01', [[/./, NOT_AN_IAM_USER]]],
  ['53300', [[/./, TOO_MANY]]],
  ['57014', [[/canceling authentication due to timeout/i, TRANSIENT]]],
]);

const TRANSIENT_SQLSTATE = /^(?:08|57P0)/;

// Errors of pg and postgres.js that have no code.
const DRIVER_MESSAGES: readonly Rule[] = [
  [/server does not support SSL/i, TLS_NOT_OFFERED],
  [/error establishing an SSL connection/i, TLS_FAILED],
  [/Connection terminated|timeout expired|Connection ended unexpectedly/i, CONNECTION_LOST],
];

/** PostgreSQL, and Aurora with its protocol. */
export const postgres: Engine = {
  name: 'postgres',
  connectionsPerSecond: Number.POSITIVE_INFINITY,
  account: {
    isNone: 'is not a member of rds_iam',
    has: 'its grant of rds_iam',
    make: 'CREATE USER … WITH LOGIN; GRANT rds_iam TO …',
  },
  classify: ({ code, message }) =>
    firstMatch(PROXY_SENTENCES, message) ??
    firstMatch(BY_SQLSTATE.get(code) ?? [], message) ??
    (TRANSIENT_SQLSTATE.test(code) ? TRANSIENT : undefined) ??
    (code === '' ? firstMatch(DRIVER_MESSAGES, message) : undefined),
};
