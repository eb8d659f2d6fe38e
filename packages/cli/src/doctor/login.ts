// The judgement of a login: if it failed, why.
import { isRdsIamError, type RdsIamErrorCode } from '@rds-iam/core';
import { type FailureKind, mysql, postgres } from '@rds-iam/core/adapter';
import { redact } from '@rds-iam/core/doctor';
import { statements } from '../sql.js';
import { judgeClock } from './clock.js';
import { judgeCredentials, judgeIdentity } from './credentials.js';
import { enableCommand, judgeDatabase } from './database.js';
import type { Facts } from './facts.js';
import { judgeLog } from './log.js';
import { judgeName, judgeRegion } from './name.js';
import { judgePolicy, missingPolicy } from './policy.js';
import {
  type Cause,
  type Causes,
  type Diagnosis,
  type Fix,
  failed,
  notChecked,
  orElse,
  passed,
  type Step,
} from './step.js';
import { judgeVersion } from './version.js';

/** Pure. */
export function judgeLogin(facts: Facts): Step {
  const { username, database, login } = facts;
  if (login === undefined) return notChecked('login', whyNone(facts));
  if ('server' in login) {
    const to = database === undefined ? '' : ` to the database "${database}"`;
    return passed(
      'login',
      `"${username}" logs in${to} with a token, within ${Math.max(1, Math.round(login.tookMs))} ms`,
    );
  }
  const failure = failureOf(login.error);
  return failed('login', failure.said, causesOf(failure, facts));
}

function whyNone({ credentials, region, tls }: Facts): string {
  if (!('identity' in credentials)) return 'there are no credentials to sign a token with';
  if (region === undefined) return 'there is no region to sign a token for';
  return tls === undefined ? 'the server cannot be reached' : 'no token is sent without verified TLS';
}

interface Failure {
  readonly code: RdsIamErrorCode | undefined;
  readonly kind: FailureKind | undefined;
  /** The message of the server, the driver or the system. */
  readonly said: string;
  /** Its code: a SQLSTATE, or a driver's code for an error of its server. */
  readonly saidCode: string;
}

function failureOf(error: unknown): Failure {
  const { code, kind } = isRdsIamError(error) ? error : {};
  const cause = (error instanceof Error && error.cause) || error;
  const { message = String(cause), code: given } = cause as { readonly message?: string; readonly code?: unknown };
  const saidCode = typeof given === 'string' ? given : '';
  const [first = ''] = message.split('\n', 1);
  const said =
    kind === 'stored-password-wanted'
      ? 'the server asks for a stored password'
      : redact(saidCode && first ? `${first} (${saidCode})` : first || saidCode);
  return { code, kind, said, saidCode };
}

function causesOf(failure: Failure, facts: Facts): Causes {
  const { code = '', kind = '' } = failure;
  if (kind === 'stored-password-wanted' || kind === 'not-an-iam-user') return noIamAccount(facts);
  if (kind === 'token-refused' && code === 'ERR_RDS_IAM_REFUSED') return tokenRefused(facts);
  if (code === 'ERR_RDS_IAM_THROTTLED') return [throttled('the server refuses logins because there are too many')];
  return [OTHERS[kind] ?? OTHERS[code] ?? outsideIam(failure, facts)];
}

/** The steps that explain a refusal better than any guess, in the order of the report, with the host's log last. */
const JUDGEMENTS = [
  ...[judgeCredentials, judgeIdentity, judgeClock, judgeName, judgeRegion, judgeDatabase, judgePolicy, judgeVersion],
  judgeLog,
];

/** The known problems among these diagnoses, in their order. */
function found(facts: Facts, diagnoses: readonly Diagnosis[]): Cause[] {
  const steps = JUDGEMENTS.map((judge) => judge(facts)).filter(({ outcome }) => outcome !== 'not-checked');
  const causes = steps.flatMap(({ causes: of }) => of);
  return diagnoses.flatMap((wanted) => causes.find(({ diagnosis }) => diagnosis === wanted) ?? []);
}

function noIamAccount(facts: Facts): Causes {
  const { engine, username, database } = facts;
  const made = statements({ engine, username, schema: 'public', ...(database !== undefined && { database }) });
  const create = made.map((each) => ({ sql: `${each};` }));
  const why = `"${username}" ${{ postgres, mysql }[engine].account.isNone}, or there is no such user`;
  const onlyGrant: Fix[] =
    engine === 'postgres' ? [{ do: 'if the user exists, only' }, { sql: `${made[1]};` }, { do: 'else' }] : [];
  const account: Cause = { diagnosis: 'missing-grant', why, fix: [...onlyGrant, ...create] };
  const known = found(facts, ['iam-off', 'engine-too-old']);
  const iamOff: Cause = {
    diagnosis: 'iam-off',
    why: 'IAM authentication is off on the instance or cluster',
    fix: [enableCommand(facts)],
  };
  const isOn = judgeDatabase(facts).outcome === 'passed';
  return orElse([...known, account, ...(known.length > 0 || isOn ? [] : [iamOff])], account);
}

function tokenRefused(facts: Facts): Causes {
  // The host's own reason first, then what is certain, then what is possible.
  const log = judgeLog(facts);
  const fromLog = log.outcome === 'failed' ? log.causes : [];
  const known = found(facts, [
    'clock-skew',
    'expired-credentials',
    'refused-credentials',
    'iam-off',
    'not-in-account',
    'denied-by-policy',
    'missing-policy',
    'engine-too-old',
  ]);
  const possible = found(facts, ['not-an-rds-name', 'wrong-region']);
  // If nothing is known, what could not be checked is as likely as throttling, which has no message of its own.
  const guesses =
    fromLog.length + known.length > 0
      ? []
      : [
          ...(judgePolicy(facts).outcome === 'passed' ? [] : [missingPolicy(facts)]),
          throttled(
            'there are more new connections per second than the server admits, which it refuses in the same words',
          ),
        ];
  const all = [...fromLog, ...known, ...possible, ...guesses];
  const once = all.filter(({ diagnosis }, at) => all.findIndex((other) => other.diagnosis === diagnosis) === at);
  return orElse(once, missingPolicy(facts));
}

function throttled(why: string): Cause {
  return {
    diagnosis: 'throttled',
    why,
    fix: [
      { do: 'try again in a minute' },
      {
        do: 'open fewer connections and keep them longer (pools, maxConnectionsPerSecond), or put RDS Proxy in between',
      },
    ],
  };
}

const OTHERS: Readonly<Record<string, Cause>> = {
  'proxy-secret-missing': {
    diagnosis: 'no-proxy-secret',
    why: 'the RDS Proxy has no secret for this user',
    fix: [{ do: 'register a secret of the user with the proxy, or turn on IAM authentication end to end' }],
  },
  ERR_RDS_IAM_TOO_MANY_CONNECTIONS: {
    diagnosis: 'too-many-connections',
    why: 'the server has no connection left',
    fix: [{ do: 'make the pools smaller, raise max_connections in the parameter group, or put RDS Proxy in between' }],
  },
  ERR_RDS_IAM_TLS: {
    diagnosis: 'no-tls',
    why: 'the connection is not encrypted to a verified server',
    fix: [{ do: 'see the step tls' }],
  },
  ERR_RDS_IAM_UNREACHABLE: {
    diagnosis: 'no-answer',
    why: 'the server does not answer the login, or ends it: it is starting, overloaded, or throttles IAM authentication',
    fix: [{ do: 'try again in a minute' }],
  },
};

/** The servers' codes for a database that does not exist, or not for this user: the token was accepted. */
const NO_DATABASE: readonly string[] = ['3D000', 'ER_BAD_DB_ERROR'];
const NO_RIGHT: readonly string[] = ['42501', 'ER_DBACCESS_DENIED_ERROR'];

function outsideIam({ saidCode }: Failure, { engine, username, database }: Facts): Cause {
  if (NO_DATABASE.includes(saidCode)) {
    const why = `the token was accepted, but there is no database "${database ?? 'postgres'}"`;
    return { diagnosis: 'no-such-database', why, fix: [{ do: 'give the name of one that exists as --database' }] };
  }
  if (NO_RIGHT.includes(saidCode)) {
    const made = statements({
      engine,
      username,
      schema: 'public',
      access: engine === 'mysql' ? 'read' : 'connect',
      database: database ?? 'postgres',
    });
    const why = `the token was accepted, but "${username}" may not use the database "${database ?? 'postgres'}"`;
    return { diagnosis: 'no-right-to-connect', why, fix: made.slice(2).map((each) => ({ sql: `${each};` })) };
  }
  const fix = [{ do: "see the server's log" }];
  return { diagnosis: 'other', why: 'the login ended for a reason that has nothing to do with IAM', fix };
}
