// The doctor gathers facts in the order of dependency and judges each as soon as it is known.
import { rdsRoots } from '@rds-iam/core';
import { checkEndpoint } from '@rds-iam/core/adapter';
import { UsageError } from '../exit-code.js';
import { engineOfPort } from '../login-environment.js';
import { loginTarget, readCa, type Settings } from '../settings.js';
import { statements } from '../sql.js';
import { print } from '../terminal.js';
import { askTime, judgeClock } from './clock.js';
import { askIdentity, judgeCredentials, judgeIdentity } from './credentials.js';
import { describeDatabase, judgeDatabase } from './database.js';
import { type Facts, firstFacts, type Question } from './facts.js';
import { lookAtTls } from './handshake.js';
import { judgeLog, readLog } from './log.js';
import { judgeLogin } from './login.js';
import { judgeName, judgeRegion } from './name.js';
import { judgePolicy, simulateConnect } from './policy.js';
import { describeStep, describeVerdict, judgeAll, paintFor } from './report.js';
import { judgeAccount, judgeEncryption, judgeMaster } from './server.js';
import type { Step } from './step.js';
import { judgeTcp, lookAtTcp } from './tcp.js';
import { judgeTls } from './tls.js';
import { tryLogin } from './try-login.js';
import { judgeVersion } from './version.js';

export interface DoctorRequest {
  readonly json?: boolean | undefined;
  /** For each request to the network or to AWS, in seconds. */
  readonly timeout: string;
}

interface Check {
  /** Gathers what is judged, unless earlier facts contain it already. */
  readonly look?: (facts: Facts) => Promise<Partial<Facts>>;
  /** Pure. Undefined if the step does not apply. */
  readonly judge: (facts: Facts) => Step | undefined;
}

/** In the order in which the report lists them. */
export const CHECKS: readonly Check[] = [
  { judge: judgeCredentials },
  { look: askIdentity, judge: judgeIdentity },
  { look: askTime, judge: judgeClock },
  { judge: judgeName },
  { judge: judgeRegion },
  { look: lookAtTcp, judge: judgeTcp },
  { look: lookAtTls, judge: judgeTls },
  { look: describeDatabase, judge: judgeDatabase },
  { look: simulateConnect, judge: judgePolicy },
  { look: logIn, judge: judgeLogin },
  { judge: judgeLog },
  { judge: judgeVersion },
  { judge: judgeEncryption },
  { judge: judgeAccount },
  { judge: judgeMaster },
];

/** The host's log can explain a refusal, so it is read right after the login. */
async function logIn(facts: Facts): Promise<Pick<Facts, 'login' | 'log'>> {
  const login = await tryLogin(facts);
  return { login, ...(await readLog({ ...facts, login })) };
}

/** Finds out why a login does not work. @returns 0 if it does */
export async function doctor(settings: Settings, { json = false, timeout }: DoctorRequest): Promise<number> {
  let facts = await firstFacts(await questionOf(settings, timeoutOf(timeout)));
  const steps: Step[] = [];
  const paint = paintFor(process.stdout);
  for (const { look, judge } of CHECKS) {
    facts = { ...facts, ...(await look?.(facts)) };
    const step = judge(facts);
    if (step === undefined) continue;
    if (!json) print(describeStep(step, steps, paint));
    steps.push(step);
  }
  const verdict = judgeAll(steps);
  if (json) {
    const { hostname, port, username, engine } = facts;
    const { works, cause } = verdict;
    print(JSON.stringify({ hostname, port, username, engine, works, ...(cause && { cause }), steps }));
  } else {
    print(describeVerdict(verdict, steps, paint));
  }
  return verdict.exitCode;
}

/** For requests that make further requests. */
const LONGER = 2;
const LONGEST_TIMEOUT_S = 600;

async function questionOf(settings: Settings, timeoutMs: number): Promise<Question> {
  const target = loginTarget(settings);
  checkEndpoint(target);
  const { region: regionFlag, profile, database, dial, ca: caFile } = settings;
  const engine = settings.engine ?? engineOfPort(target.port);
  // Fails at once if no SQL statement can contain the name of the user or the database.
  statements({ engine, username: target.username, schema: 'public', database });
  const ca = caFile === undefined ? await rdsRoots() : [readCa(caFile)];
  return {
    ...target,
    engine,
    database,
    profile,
    regionFlag,
    dial,
    caFile,
    ca,
    timeoutMs,
    longerMs: timeoutMs * LONGER,
  };
}

function timeoutOf(text: string): number {
  const seconds = Number(text);
  if (!/^\d+(?:\.\d+)?$/.test(text) || seconds <= 0 || seconds > LONGEST_TIMEOUT_S) {
    throw new UsageError(`--timeout must be a number of seconds, more than 0 and up to ${LONGEST_TIMEOUT_S}`);
  }
  return seconds * 1_000;
}
