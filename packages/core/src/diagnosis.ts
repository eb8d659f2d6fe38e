import { type Endpoint, parseRdsHostname } from './endpoint.js';
import type { Engine, IamAccount } from './engines/engine.js';
import { RdsIamError, type RdsIamErrorCode } from './errors.js';
import type { FailureKind } from './failure.js';
import type { Phase } from './login.js';
import type { Failure, Limit } from './retry.js';

/** Beyond this, tokens arrive expired or not yet valid. */
export const NOTABLE_SKEW_MS = 3 * 60_000;

export interface Circumstances {
  readonly endpoint: Endpoint;
  readonly engine: Engine;
  /** The host name that the token was signed for, if it differs from the endpoint's. */
  readonly dialed: string;
  readonly phase: Phase;
  /** The time-out that ended all attempts, if one did. */
  readonly bound?: Limit | undefined;
  /** Whose certificates were trusted, if the server's was not. */
  readonly trusted?: string | undefined;
  /** AWS's clock minus ours, in milliseconds, if it could be found out. */
  readonly clockSkewMs?: number | undefined;
  /** The correction of our clock by the options, in milliseconds. */
  readonly clockOffsetMs?: number;
}

/** The error to give up with: what happened, to which endpoint and user, what was tried, the likely causes and fixes. */
export function diagnose(failure: Failure, circumstances: Circumstances, cause: unknown): RdsIamError {
  const { hostname, port, username } = circumstances.endpoint;
  const where = circumstances.dialed === hostname ? hostname : `${hostname} (${circumstances.dialed})`;
  const { attempts, elapsedMs, evidence } = failure;
  const { bound } = circumstances;
  const spent = `${Math.round(elapsedMs)} ms${bound ? `, all that "${bound.option}" allows` : ''}`;
  const tried = attempts === 1 ? '' : ` after ${attempts} attempts in ${spent}`;
  // The attempt may have had only what waiting for its turn had left of the time.
  const over = attempts === 1 && bound ? ` (after ${spent})` : '';
  const lines = [
    `${WHAT[failure.code]} ${where}:${port} as "${username}"${tried}: ${evidence}${over}`,
    ...likelyCauses(failure, circumstances).map((likely, index) => `  ${index + 1}. ${likely}`),
  ];
  return new RdsIamError(failure.code, lines.join('\n'), {
    cause,
    details: {
      kind: failure.kind,
      ...{ hostname, port, username, phase: circumstances.phase },
      attempts,
      elapsedMs,
    },
  });
}

const WHAT: Readonly<Record<RdsIamErrorCode, string>> = {
  ERR_RDS_IAM_CONFIG: 'wrong options for',
  ERR_RDS_IAM_REGION: 'no region for',
  ERR_RDS_IAM_ENDPOINT: 'could not find the endpoint of',
  ERR_RDS_IAM_CREDENTIALS: 'no AWS credentials for',
  ERR_RDS_IAM_SIGNING: 'no token for',
  ERR_RDS_IAM_TLS: 'no verified TLS connection to',
  ERR_RDS_IAM_UNREACHABLE: 'could not reach',
  ERR_RDS_IAM_REFUSED: 'login refused by',
  ERR_RDS_IAM_THROTTLED: 'login throttled by',
  ERR_RDS_IAM_ADMISSION: 'not admitted to',
  ERR_RDS_IAM_TOO_MANY_CONNECTIONS: 'no connection left at',
  ERR_RDS_IAM_LOGIN: 'login ended by',
  ERR_RDS_IAM_ABORTED: 'stopped connecting to',
};

type Causes<Key extends string> = Readonly<Partial<Record<Key, readonly string[]>>>;

const byKind = ({ isNone, make }: IamAccount): Causes<FailureKind> => {
  const account = `this user does not exist or ${isNone}: ${make}`;
  const isOff =
    'IAM authentication is not enabled on the instance or cluster: aws rds modify-db-instance --enable-iam-database-authentication';
  return {
    'stored-password-wanted': [`no token was sent, because ${account}`, isOff],
    'not-an-iam-user': [account, isOff],
    'plaintext-refused': ['the server only takes encrypted connections: a proxy or tunnel in between terminates TLS'],
    'tls-not-offered': ['the server does not offer TLS, so no token was sent: is this an RDS endpoint, and is TLS on?'],
    'tls-failed': ['the server could not establish TLS, so no token was sent: is TLS set up there?'],
    'peer-not-verified': ['a driver or a `stream` of your own connects without TLS, or to another server'],
    'protocol-violated': ['what answered is not a server of this engine: check the host name and the port'],
    'proxy-secret-missing': [
      'the RDS Proxy has no secret for this user: register one, or turn on IAM authentication end to end',
    ],
    'name-not-found': [
      'the host name does not exist in DNS: check it for a typo, and that this machine can resolve it',
    ],
  };
};

/** For a server that can be reached but then does not respond. */
const SLOW_SERVER = [
  'the server is starting, overloaded, or throttles IAM authentication: open fewer connections, or allow more time',
  'a proxy or tunnel in between accepts connections while its other end does not answer',
];

const byCode = ({ has }: IamAccount): Causes<RdsIamErrorCode> => ({
  ERR_RDS_IAM_TLS: [
    'the certificate is for another name: connect by the RDS endpoint or by a CNAME to it, and use the "dial" option for a tunnel',
  ],
  ERR_RDS_IAM_UNREACHABLE: [
    'no route: the security group, the subnet or a firewall does not let this machine in',
    'wrong host name or port, or the server is not running',
  ],
  ERR_RDS_IAM_THROTTLED: [
    'more new connections per second than the instance admits: open fewer, keep them longer, or use RDS Proxy',
    `the user lost ${has} or its policy since it last logged in`,
  ],
  ERR_RDS_IAM_TOO_MANY_CONNECTIONS: ['max_connections is reached: make the pools smaller, or use RDS Proxy'],
});

export function likelyCauses({ code, kind }: Failure, circumstances: Circumstances): readonly string[] {
  const { account } = circumstances.engine;
  const skew = clockCause(circumstances);
  if (kind === 'token-refused' && code === 'ERR_RDS_IAM_REFUSED') {
    return [...skew, ...refusalCauses(circumstances, account)];
  }
  if (kind === 'timed-out' && (circumstances.phase === 'tls' || circumstances.phase === 'login')) {
    return [...skew, ...SLOW_SERVER];
  }
  const untrusted = code === 'ERR_RDS_IAM_TLS' && kind === undefined ? untrustedCause(circumstances) : [];
  return [...skew, ...untrusted, ...((kind && byKind(account)[kind]) ?? byCode(account)[code] ?? [])];
}

function untrustedCause({ dialed, trusted }: Circumstances): readonly string[] {
  if (trusted === undefined) return [];
  const region = parseRdsHostname(dialed)?.region;
  const fix = region
    ? `if it is a newer RDS authority, get it with \`npx rds-iam ca --region ${region}\` and pass it in "ca" or NODE_EXTRA_CA_CERTS`
    : 'pass its certificate in "ca" or NODE_EXTRA_CA_CERTS';
  return [`the certificate's authority is not trusted; trusted are ${trusted}: ${fix}`];
}

function refusalCauses({ endpoint, dialed }: Circumstances, { make }: IamAccount): readonly string[] {
  const rds = parseRdsHostname(dialed);
  const notRds = `the token is signed for "${dialed}", which is not an RDS endpoint: RDS accepts only tokens for its own names`;
  const arn = `arn:${rds?.partition ?? 'aws'}:rds-db:${rds?.region ?? 'REGION'}:ACCOUNT:dbuser:RESOURCE-ID/${endpoint.username}`;
  return [
    ...(rds ? [] : [notRds]),
    `the IAM policy of these credentials does not allow rds-db:connect on ${arn}`,
    `the user is missing or has no IAM login: ${make}`,
    'the credentials are of another account or role than you think: aws sts get-caller-identity',
    'IAM authentication is throttled: more new connections per second than the instance admits',
    "this machine's clock is several minutes off",
  ];
}

function clockCause({ clockSkewMs, clockOffsetMs = 0 }: Circumstances): readonly string[] {
  if (clockSkewMs === undefined) return [];
  const offMs = clockSkewMs - clockOffsetMs;
  if (Math.abs(offMs) < NOTABLE_SKEW_MS) return [];
  const minutes = Math.round(Math.abs(offMs) / 60_000);
  const corrected = clockOffsetMs === 0 ? '' : ', corrected by "clockOffsetMs",';
  // AWS's clock was read with a precision of one second.
  const rightOffsetMs = Math.round(clockSkewMs / 1_000) * 1_000;
  return [
    `this machine's clock${corrected} is ${minutes} minutes ${offMs > 0 ? 'behind' : 'ahead of'} AWS's: set the clock, or give ${rightOffsetMs} as "clockOffsetMs"`,
  ];
}
