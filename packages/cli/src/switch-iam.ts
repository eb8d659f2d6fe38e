// enable and disable: turn IAM authentication of an instance or cluster on or off.
import { setTimeout as sleep } from 'node:timers/promises';
import { AwsError, type AwsErrorCode } from './aws-call.js';
import type { Database, DatabaseTarget } from './database/database.js';
import { DatabaseLookup } from './database/lookup.js';
import { FailedError, UsageError } from './exit-code.js';
import { Interrupted, interruptible } from './interrupt.js';
import { startProgress } from './progress.js';
import { askYesNo, canAsk, print, tell } from './terminal.js';

export interface SwitchRequest {
  /** Whether to turn it on; otherwise off. */
  readonly enable: boolean;
  readonly target: DatabaseTarget;
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
  /** Whether to go ahead without asking. */
  readonly yes: boolean;
  readonly dryRun: boolean;
  /** Undefined: at once, unless that would also apply other waiting changes, which nobody asked for. */
  readonly applyImmediately: boolean | undefined;
  readonly wait: boolean;
  /** How long to wait for it to be applied, in milliseconds. */
  readonly timeoutMs: number;
  /** How long to wait between checks, in milliseconds. */
  readonly pollIntervalMs: number;
  readonly json: boolean;
}

/** How it ended. */
type Outcome = 'unchanged' | 'planned' | 'requested' | 'applied';

/** RDS is turning it on or off. */
const AT_IT = 'configuring-iam-database-auth';

/** @throws AwsError, UsageError, FailedError, Interrupted; each says whether the change was requested */
export function switchIam(request: SwitchRequest): Promise<number> {
  return interruptible(async (signal) => {
    const lookup = await DatabaseLookup.of(request.target, { ...request, signal, timeoutMs: undefined });
    return new Switch(request, lookup, signal).run();
  });
}

class Switch {
  readonly #request: SwitchRequest;
  readonly #lookup: DatabaseLookup;
  readonly #signal: AbortSignal;

  constructor(request: SwitchRequest, lookup: DatabaseLookup, signal: AbortSignal) {
    this.#request = request;
    this.#lookup = lookup;
    this.#signal = signal;
  }

  async run(): Promise<number> {
    const { enable, dryRun, wait } = this.#request;
    const database = await unlessInterrupted(this.#lookup.find(this.#request.target), 'nothing was changed');
    if (database.kind === 'proxy') {
      throw new UsageError(
        `${database.identifier} is a proxy, whose users are configured one by one (aws rds modify-db-proxy --auth …): give the --instance or --cluster behind it`,
      );
    }
    if (database.memberIdentifier !== undefined) {
      tell(
        `the instance ${database.memberIdentifier} belongs to the cluster ${database.identifier}, whose instances share one setting for IAM authentication: the cluster is changed`,
      );
    }
    if (isApplied(database, enable)) return this.#report(database, 'unchanged');
    const requested = database.status === AT_IT && (database.pendingIamEnabled ?? database.iamEnabled) === enable;
    const atOnce = this.#request.applyImmediately ?? true;
    if (requested) tell(`${this.#named(database)}: that was requested before, and RDS is working on it`);
    else this.#tellPlan(database, atOnce);
    if (dryRun) return this.#report(database, 'planned');
    if (!requested) {
      await this.#agree(database);
      await this.#ask(database, atOnce);
    }
    if (!wait || !(atOnce || requested)) return this.#report(database, 'requested');
    return this.#report(await this.#untilApplied(database), 'applied');
  }

  #named({ kind, identifier }: Database): string {
    return `the ${kind} ${identifier}`;
  }

  #tellPlan(database: Database, atOnce: boolean): void {
    const { enable } = this.#request;
    const { resourceId, engine, engineVersion, region, accountId, otherPending, maintenanceWindow } = database;
    tell(
      `IAM authentication will be turned ${onOff(enable)} for ${this.#named(database)} (${resourceId}, ${engine} ${engineVersion ?? ''} in ${region}, account ${accountId})`,
    );
    tell(
      enable
        ? 'logins with a password go on as before; users with rds_iam or AWSAuthenticationPlugin can then log in with a token'
        : 'users with rds_iam or AWSAuthenticationPlugin can then no longer log in; open connections stay',
    );
    tell(
      atOnce
        ? 'RDS does it at once'
        : `RDS does it in the next maintenance window (${maintenanceWindow ?? 'unknown'}, UTC)`,
    );
    if (atOnce && otherPending.length > 0) {
      tell(
        `RDS then also applies at once other changes that wait for the maintenance window, which may restart the database: ${otherPending.join(', ')}`,
        'warning',
      );
    }
  }

  async #agree({ otherPending }: Database): Promise<void> {
    const { yes, enable, applyImmediately } = this.#request;
    if (yes) {
      if (otherPending.length === 0 || applyImmediately !== undefined) return;
      throw new UsageError(
        `nothing was changed: other changes would be applied, too (${otherPending.join(', ')}): give --apply-immediately if that is fine, or --no-apply-immediately to have all wait for the maintenance window`,
      );
    }
    if (!canAsk()) {
      throw new UsageError(
        'nothing was changed: there is no terminal for the question: give --yes to go ahead, or --dry-run to only look',
      );
    }
    const agreed = await unlessInterrupted(
      askYesNo(`Turn IAM authentication ${onOff(enable)}?`, this.#signal),
      'nothing was changed',
    );
    if (!agreed) throw new FailedError('nothing was changed');
  }

  async #ask(database: Database, applyImmediately: boolean): Promise<void> {
    const { enable } = this.#request;
    try {
      await unlessInterrupted(
        this.#lookup.modify(database, { enable, applyImmediately }),
        `RDS may or may not have received the request; ${this.#goOn(database)}`,
      );
    } catch (error) {
      if (error instanceof AwsError && /Invalid(?:DBInstance|DBCluster)State/.test(error.awsCode ?? '')) {
        throw new FailedError(
          `nothing was changed: ${this.#named(database)} is "${database.status}", and RDS only changes one that is available: start it or wait, then try again`,
          { cause: error },
        );
      }
      throw error;
    }
  }

  async #untilApplied(database: Database): Promise<Database> {
    const { timeoutMs, pollIntervalMs, enable } = this.#request;
    const from = performance.now();
    const elapsedMs = () => performance.now() - from;
    const progress = await startProgress();
    let seen = database;
    let failure: AwsError | undefined;
    try {
      for (;;) {
        try {
          seen = await this.#lookup.byName(database);
          failure = undefined;
        } catch (error) {
          if (!isPassing(error)) throw error;
          failure = error;
        }
        if (failure === undefined && isApplied(seen, enable)) return seen;
        progress.show(
          failure?.message ??
            `${this.#named(seen)} is "${seen.status}", and IAM authentication ${onOff(seen.iamEnabled)}`,
          `${Math.round(elapsedMs() / 1000)} s`,
        );
        if (elapsedMs() + pollIntervalMs > timeoutMs) break;
        await sleep(pollIntervalMs, undefined, { signal: this.#signal });
      }
    } catch (error) {
      progress.stop();
      const state = `the change was requested, and RDS goes on with it; ${this.#goOn(database)}`;
      if (this.#signal.aborted) throw new Interrupted(signalOf(this.#signal), state);
      throw error instanceof AwsError ? error.with(`${error.message}. ${state}`) : error;
    } finally {
      progress.stop();
    }
    const why = failure === undefined ? `${this.#named(seen)} is "${seen.status}"` : failure.message;
    throw new FailedError(
      `the change was requested, but not applied within ${timeoutMs / 1000} seconds (${why}). RDS goes on with it; ${this.#goOn(database)}`,
    );
  }

  #goOn({ kind, identifier, region }: Database): string {
    const { enable, profile } = this.#request;
    const more = profile === undefined ? '' : ` --profile ${profile}`;
    return `to see it through: rds-iam ${enable ? 'enable' : 'disable'} --${kind} ${identifier} --region ${region}${more}`;
  }

  #report(database: Database, outcome: Outcome): number {
    const { kind, identifier, resourceId, region, accountId, iamEnabled } = database;
    const { enable, json } = this.#request;
    const named = this.#named(database);
    const text = {
      unchanged: `IAM authentication is ${onOff(enable)} already for ${named}`,
      planned: `nothing was changed: IAM authentication is ${onOff(iamEnabled)} for ${named}`,
      requested: `turning IAM authentication ${onOff(enable)} was requested for ${named}`,
      applied: `IAM authentication is ${onOff(enable)} for ${named}`,
    }[outcome];
    print(json ? JSON.stringify({ kind, identifier, resourceId, region, accountId, iamEnabled, outcome }) : text);
    return 0;
  }
}

const onOff = (enabled: boolean) => (enabled ? 'on' : 'off');

function isApplied({ iamEnabled, pendingIamEnabled, status }: Database, wanted: boolean): boolean {
  return iamEnabled === wanted && pendingIamEnabled === undefined && status !== AT_IT;
}

const PASSING: readonly AwsErrorCode[] = [
  'ERR_RDS_IAM_AWS_THROTTLED',
  'ERR_RDS_IAM_AWS_TIMEOUT',
  'ERR_RDS_IAM_AWS_UNREACHABLE',
  'ERR_RDS_IAM_AWS_MALFORMED',
];

/** Whether the error may be gone at the next check. */
function isPassing(error: unknown): error is AwsError {
  return (
    error instanceof AwsError && (PASSING.includes(error.code) || /^Internal|Unavailable/.test(error.awsCode ?? ''))
  );
}

/** Adds to an interruption how things stand. */
async function unlessInterrupted<Result>(result: Promise<Result>, state: string): Promise<Result> {
  try {
    return await result;
  } catch (error) {
    throw error instanceof Interrupted ? new Interrupted(error.signal, state) : error;
  }
}

const signalOf = ({ reason }: AbortSignal) => (reason instanceof Interrupted ? reason.signal : 'SIGINT');
