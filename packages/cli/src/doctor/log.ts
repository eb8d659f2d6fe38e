// The host's own reason for a refusal, which clients never get: its log in CloudWatch Logs.
import { isRdsIamError } from '@rds-iam/core';
import { redact } from '@rds-iam/core/doctor';
import type { DatabaseName } from '../database/database.js';
import { readEndpoint } from '../database/endpoint.js';
import { shellWord } from '../shell-word.js';
import { askAws, awsCodeOf, callerOf, clientSettings, unanswered } from './aws-calls.js';
import { changeable, databaseOf } from './database.js';
import type { Facts } from './facts.js';
import { missingPolicy } from './policy.js';
import { type Cause, type Diagnosis, type Fix, failed, notChecked, type Step } from './step.js';

export interface LogEntry {
  readonly atMs: number;
  readonly message: string;
}

/** How far back to look, in milliseconds: entries take minutes to arrive, so the entry of an earlier run may help, too. */
const LOOK_BACK_MS = 15 * 60_000;
const MAX_PAGES = 3;

const logGroupOf = ({ kind, identifier }: DatabaseName) => `/aws/rds/${kind}/${identifier}/iam-db-auth-error`;

/** The log to read, or the step that says why there is none. Only a refused token leaves a reason there. Pure. */
function logToRead(facts: Facts): string | Step {
  const { login, name } = facts;
  const caller = callerOf(facts);
  if ('error' in caller || !login) return notChecked('log', 'no login was tried');
  if ('server' in login) return notChecked('log', 'the login works: there is no refusal to look for');
  if (isRdsIamError(login.error) && login.error.kind === 'stored-password-wanted')
    return notChecked('log', 'no token was sent, so none was refused');
  const database = databaseOf(facts);
  if (database?.kind === 'proxy' || readEndpoint(name.followed)?.kind.startsWith('proxy')) {
    return notChecked('log', 'a proxy does not write this log');
  }
  if (database && !database.logExports.includes('iam-db-auth-error')) return exportIsOff(database, caller.region);
  // Credentials that may not ask RDS may still be allowed to read the log.
  const of = changeable(facts);
  return of ? logGroupOf(of) : notChecked('log', 'the database is not known');
}

/** Fetches the latest entries, oldest first. Never rejects. */
export async function readLog(facts: Facts): Promise<Pick<Facts, 'log'>> {
  const caller = callerOf(facts);
  const logGroupName = logToRead(facts);
  if ('error' in caller || typeof logGroupName !== 'string') return { log: unanswered('there is none to read') };
  // By AWS's clock.
  const startTime = Math.floor(Date.now() + (facts.skewMs ?? 0) - LOOK_BACK_MS);
  const { CloudWatchLogs } = await import('@aws-sdk/client-cloudwatch-logs');
  const logs = new CloudWatchLogs(clientSettings(caller));
  const entries: LogEntry[] = [];
  let nextToken: string | undefined;
  try {
    for (let page = 0; page < MAX_PAGES; page++) {
      const asked = await askAws(caller, 'logs:FilterLogEvents', async (options) => {
        const question = { logGroupName, startTime, ...(nextToken && { nextToken }) };
        const { events, nextToken: next } = await logs.filterLogEvents(question, options);
        return events && { events, next };
      });
      if ('error' in asked) return { log: asked };
      for (const { timestamp = 0, message = '' } of asked.answer.events) entries.push({ atMs: timestamp, message });
      nextToken = asked.answer.next;
      if (nextToken === undefined) break;
    }
    return { log: { answer: entries } };
  } finally {
    logs.destroy();
  }
}

type Reason = readonly [wording: RegExp, diagnosis: Diagnosis, why: string, fix: readonly Fix[]];

// The patterns are from the RDS user guide.
const REASONS: readonly Reason[] = [
  [
    /throttling/i,
    'throttled',
    'the host throttles IAM authentication: more new connections per second than it admits',
    [
      {
        do: 'open fewer connections and keep them longer, and use one token for all of them, as the packages of rds-iam do',
      },
      { do: 'or put RDS Proxy in between' },
    ],
  ],
  [
    /(?:token age is longer|older) than 15 minutes|ExpiredToken/i,
    'clock-skew',
    'the token was too old when it arrived: a clock is wrong, or the token was kept too long',
    [{ shell: 'sudo timedatectl set-ntp true' }],
  ],
  [
    /malformed or otherwise invalid|InvalidToken/i,
    'token-invalid',
    'the token was cut off or changed on its way, or is signed for another host, port, user or region',
    [{ do: 'give the endpoint itself as the host name, with its own port, and no tunnel in between' }],
  ],
  [
    /internal IAM DB authentication error|InternalError/i,
    'other',
    'the service behind IAM authentication failed',
    [{ do: 'try again' }],
  ],
];

/** Pure. */
export function judgeLog(facts: Facts): Step {
  const { log, username } = facts;
  const logGroupName = logToRead(facts);
  if (typeof logGroupName !== 'string') return logGroupName;
  if ('error' in log) {
    return awsCodeOf(log).startsWith('ResourceNotFound')
      ? notChecked('log', `there is no log group ${logGroupName}: its export may be off`)
      : notChecked('log', log.error.message);
  }
  const entries = log.answer;
  // Not every entry is sure to name the user.
  const ours = entries.filter(({ message }) => message.includes(username));
  const latest = (ours.length > 0 ? ours : entries).toReversed();
  for (const { atMs, message } of latest) {
    const cause = causeOf(message, facts);
    if (cause) {
      const said = redact(message.trim().slice(0, 300));
      return failed('log', `${new Date(atMs).toISOString()} ${said}`, [cause]);
    }
  }
  return notChecked('log', `${logGroupName} has no refusal of the last 15 minutes`, [
    {
      diagnosis: 'other',
      why: 'entries take some minutes to arrive',
      fix: [{ do: 'run the doctor again in five minutes: it looks back for a quarter of an hour' }],
    },
  ]);
}

function causeOf(message: string, facts: Facts): Cause | undefined {
  if (/not authorized to perform rds-db:connect|NotAuthorized/i.test(message)) return missingPolicy(facts);
  const found = REASONS.find(([wording]) => wording.test(message));
  return found && { diagnosis: found[1], why: `${found[2]}, as its log says`, fix: found[3] };
}

function exportIsOff({ kind, identifier }: DatabaseName, region: string): Step {
  const what = kind === 'cluster' ? 'cluster' : 'instance';
  return notChecked('log', `the host's own reason is in the log iam-db-auth-error, whose export is off`, [
    {
      diagnosis: 'other',
      why: 'with the export on, the doctor reads there why the host refused a login',
      fix: [
        {
          shell: `aws rds modify-db-${what} --db-${what}-identifier ${shellWord(identifier)} --region ${shellWord(region)} --cloudwatch-logs-export-configuration '{"EnableLogTypes":["iam-db-auth-error"]}'`,
        },
      ],
    },
  ]);
}
