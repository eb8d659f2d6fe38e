import { createRdsIam, isRdsIamError, rdsRoots } from '@rds-iam/core';
import { checkEndpoint } from '@rds-iam/core/adapter';
import { awsClockSkewMs } from '@rds-iam/core/doctor';
import type { Database } from '../database.js';
import { describeDial } from '../dial.js';
import { UsageError } from '../exit-code.js';
import { engineOfPort } from '../login-environment.js';
import { type Engine, type LoginTarget, loginTarget, readCa, type Settings } from '../settings.js';
import { shellWord } from '../shell-word.js';
import { statements } from '../sql.js';
import { print } from '../terminal.js';
import { type AwsCaller, answerOf } from './aws-calls.js';
import { judgeClock } from './clock.js';
import {
  askIdentity,
  findCredentials,
  type Identity,
  judgeCredentials,
  judgeIdentity,
  regionOfSettings,
} from './credentials.js';
import { lookAtTls, type TlsSeen } from './handshake.js';
import { exportIsOff, judgeLog, logGroupOf, readLog } from './log.js';
import { judgeLogin } from './login.js';
import { judgeName, judgeRegion, lookUpName } from './name.js';
import { type ConnectTarget, judgePolicy, missingPolicy, principalOf, simulateConnect } from './policy.js';
import { changeable, enableCommand, lookAtDatabase, modifyCommand, type Rds, showCommand } from './rds.js';
import { describeStep, describeVerdict, judgeAll, paintFor } from './report.js';
import { judgeAccount, judgeEncryption, judgeMaster, judgeVersion } from './server.js';
import { type Cause, notChecked, type Step } from './step.js';
import { dial, judgeTcp, judgeTunnel } from './tcp.js';
import { judgeTls } from './tls.js';
import { type LoginSeen, tryLogin } from './try-login.js';

export interface DoctorRequest {
  readonly json?: boolean | undefined;
  /** For each question to the network or to AWS, in seconds. */
  readonly timeout: string;
}

/** What others are asked behind may take longer: a login, for which the host asks AWS, and most sources of credentials. */
const LONGER = 2;
const LONGEST_TIMEOUT_S = 600;

/** Finds out why a login does not work. @returns 0 if it does */
export async function doctor(settings: Settings, { json = false, timeout }: DoctorRequest): Promise<number> {
  const target = loginTarget(settings);
  checkEndpoint(target);
  const { hostname, port, username } = target;
  const { region: flag, profile, database } = settings;
  const engine = settings.engine ?? engineOfPort(port);
  // Says so at once, if the user or the database has a name that there is no statement for.
  statements({ engine, username, schema: 'public', database });
  const timeoutMs = timeoutOf(timeout);
  const ca = settings.ca === undefined ? await rdsRoots() : [readCa(settings.ca)];

  const steps: Step[] = [];
  const paint = paintFor(process.stdout);
  const report = (step: Step) => {
    if (!json) print(describeStep(step, steps, paint));
    steps.push(step);
    return step.outcome;
  };

  const name = await lookUpName(hostname, timeoutMs);
  const { followed } = name;
  const { step: regionStep, region } = judgeRegion({ followed, flag, settings: await regionOfSettings(profile) });
  const found = await findCredentials({ profile, region, timeoutMs: timeoutMs * LONGER });
  report(judgeCredentials(found, profile));
  const caller: AwsCaller | undefined =
    'identity' in found && region !== undefined ? { region, credentials: found.identity, timeoutMs } : undefined;
  const cannotAsk =
    'identity' in found ? 'without a region, nobody can be asked' : 'there are no credentials to ask with';

  const identity = caller && (await askIdentity(caller));
  report(identity ? judgeIdentity(identity, profile) : notChecked('identity', cannotAsk));
  const skewMs = region === undefined ? undefined : await awsClockSkewMs(region, timeoutMs);
  report(judgeClock(skewMs));
  const nameOutcome = report(judgeName(name, settings.dial));
  report(regionStep);

  const lookAtTcp = async (): Promise<Step> => {
    if (settings.dial)
      return judgeTunnel(await dial(settings.dial.hostname, settings.dial.port, timeoutMs), settings.dial);
    if (nameOutcome === 'failed') return notChecked('tcp', 'the name has no address');
    const at = { hostname: followed, port };
    return judgeTcp(await dial(followed, port, timeoutMs), at, showCommand(followed, region));
  };
  const tcpOutcome = report(await lookAtTcp());
  const tls: TlsSeen =
    tcpOutcome === 'passed'
      ? await lookAtTls({ engine, hostname: followed, port, dial: settings.dial, ca, timeoutMs })
      : {};
  const tlsOutcome = report(
    tcpOutcome === 'passed'
      ? judgeTls(tls, {
          hostname: followed,
          port,
          dial: settings.dial,
          ca: settings.ca,
          again: doctorCommand(settings, target, engine),
        })
      : notChecked('tls', 'nobody answers on that port'),
  );

  const who = answerOf(identity);
  const rds = await lookAtDatabase(caller, cannotAsk, followed, profile);
  report(rds.step);
  const connectTarget: ConnectTarget = {
    region: region ?? 'REGION',
    account: rds.database?.accountId ?? who?.account ?? 'ACCOUNT',
    resourceId: rds.database?.resourceId ?? 'RESOURCE-ID',
    username,
  };
  report(await lookAtPolicy(caller, cannotAsk, who, rds.database, connectTarget));

  const isProxy = rds.name?.kind.startsWith('proxy') ?? false;
  const knownVersion = isProxy ? undefined : tls.greeting;
  const version = {
    engine,
    engineName: rds.database?.engine,
    isAurora:
      /^aurora/.test(rds.database?.engine ?? '') || rds.name?.kind === 'cluster' || rds.name?.kind === 'customEndpoint',
    loggedIn: false,
    region,
    upgrade: modifyCommand(rds, region),
    version: knownVersion ?? rds.database?.engineVersion,
    source: knownVersion === undefined ? ('the RDS API' as const) : ('the server' as const),
  };
  const versionBefore = judgeVersion(version);

  let login: LoginSeen | undefined;
  if ('identity' in found && region !== undefined && tlsOutcome === 'passed') {
    const iam = createRdsIam({
      region,
      credentials: async () => found.identity,
      retry: false,
      ...(settings.dial !== undefined && { dial: settings.dial }),
      ...(settings.ca !== undefined && { ca }),
    });
    login = await tryLogin({ iam, engine, hostname, port, username, database, timeoutMs: timeoutMs * LONGER });
  }
  const policyCause = missingPolicy(who && principalOf(who), connectTarget);
  const log = await lookAtLog(caller, login, rds, { username, missingPolicy: policyCause, skewMs });
  const loginStep = login
    ? judgeLogin(login, {
        engine,
        username,
        database,
        steps: [...steps, versionBefore, log],
        missingPolicy: policyCause,
        enableIam: enableCommand(rds, region),
      })
    : notChecked(
        'login',
        whyNoLogin({ hasCredentials: 'identity' in found, hasRegion: region !== undefined, tcpOutcome }),
      );
  report(loginStep);
  report(log);

  const server = login && 'server' in login ? login.server : undefined;
  if (server) {
    report(
      judgeVersion({
        ...version,
        loggedIn: true,
        isAurora: version.isAurora || server.isAurora,
        ...(server.version !== undefined && { version: server.version, source: 'the server' }),
      }),
    );
    report(judgeEncryption(server));
    report(judgeAccount(server, username));
    if (server.postgres) report(judgeMaster(server.postgres));
  } else {
    report(versionBefore);
    for (const step of ['encryption', 'account'] as const) report(notChecked(step, 'it takes a login to see it'));
    if (engine === 'postgres') report(notChecked('master', 'it takes a login to see it'));
  }

  const verdict = judgeAll(steps);
  if (json) {
    const { works, cause } = verdict;
    print(JSON.stringify({ ...target, engine, works, ...(cause && { cause }), steps }));
  } else {
    print(describeVerdict(verdict, steps, paint));
  }
  return verdict.exitCode;
}

function timeoutOf(text: string): number {
  const seconds = Number(text);
  if (!/^\d+(?:\.\d+)?$/.test(text) || seconds <= 0 || seconds > LONGEST_TIMEOUT_S) {
    throw new UsageError(`--timeout must be a number of seconds, more than 0 and up to ${LONGEST_TIMEOUT_S}`);
  }
  return seconds * 1_000;
}

/** What examines this login again, whatever the environment was that told of it. */
function doctorCommand({ database, region, profile, dial: to }: Settings, target: LoginTarget, engine: Engine): string {
  const { hostname, port, username } = target;
  const flags = Object.entries({
    engine,
    hostname,
    port,
    username,
    database,
    region,
    profile,
    dial: to && describeDial(to),
  });
  const given = flags.flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${shellWord(String(value))}`],
  );
  return ['rds-iam doctor', ...given].join(' ');
}

async function lookAtPolicy(
  caller: AwsCaller | undefined,
  cannotAsk: string,
  who: Identity | undefined,
  database: Database | undefined,
  target: ConnectTarget,
): Promise<Step> {
  if (!caller) return notChecked('policy', cannotAsk);
  if (!who) return notChecked('policy', 'AWS did not say whose the credentials are');
  if (!database) return notChecked('policy', 'the resource id of the database, which a policy names, is not known');
  const principal = principalOf(who);
  if (!principal) return notChecked('policy', `the policies of ${who.arn} cannot be simulated`);
  return judgePolicy(await simulateConnect(caller, principal, target), principal, target);
}

interface LogRequest {
  readonly username: string;
  readonly missingPolicy: Cause;
  readonly skewMs: number | undefined;
}

/** Only a token that was refused leaves a reason there. */
async function lookAtLog(
  caller: AwsCaller | undefined,
  login: LoginSeen | undefined,
  rds: Rds,
  { username, missingPolicy: mend, skewMs = 0 }: LogRequest,
): Promise<Step> {
  const { name, database } = rds;
  if (!caller || !login) return notChecked('log', 'no login was tried');
  if ('server' in login) return notChecked('log', 'the login works: there is no refusal to look for');
  if (isRdsIamError(login.error) && login.error.kind === 'stored-password-wanted')
    return notChecked('log', 'no token was sent, so that there is no refusal of one');
  if (database?.kind === 'proxy' || name?.kind.startsWith('proxy')) {
    return notChecked('log', 'a proxy does not write this log');
  }
  if (database && !database.logExports.includes('iam-db-auth-error')) return exportIsOff(database, caller.region);
  // Who may not ask RDS may be permitted to read the log.
  const of = changeable(rds);
  if (!of) return notChecked('log', 'it is not known of which database');
  const logGroupName = logGroupOf(of);
  const asked = await readLog(caller, logGroupName, Date.now() + skewMs);
  return judgeLog(asked, { logGroupName, username, missingPolicy: mend });
}

interface BeforeLogin {
  readonly hasCredentials: boolean;
  readonly hasRegion: boolean;
  readonly tcpOutcome: Step['outcome'];
}

function whyNoLogin({ hasCredentials, hasRegion, tcpOutcome }: BeforeLogin): string {
  if (!hasCredentials) return 'there are no credentials to sign a token with';
  if (!hasRegion) return 'there is no region to sign a token for';
  return tcpOutcome === 'passed' ? 'no token is sent without verified TLS' : 'the server cannot be reached';
}
