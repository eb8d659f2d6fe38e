// A world for the doctor: a real PostgreSQL with roles as on RDS, the emulator in front of it under the name of an instance,
// a DNS that knows that name, and a stand-in for AWS.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCertificateAuthority, type Emulator, type EmulatorOptions, startEmulator } from '@rds-iam/emulator';
import {
  CREDENTIALS,
  type DnsServer,
  expectNoSecrets,
  type PostgresServer,
  startDns,
  startPostgres,
} from '@rds-iam/test-servers';
import { ACCOUNT, type Aws, type AwsHandlers, result, startAws } from '@rds-iam/test-servers/aws';
import { instance } from '@rds-iam/test-servers/rds-answers';
import { afterAll, beforeAll, expect } from 'vitest';
import { askingDns, type Outcome, runHere } from './command-line.js';

export const HOST = 'mydb.abc123.eu-west-1.rds.amazonaws.com';
export const RESOURCE = `arn:aws:rds-db:eu-west-1:${ACCOUNT}:dbuser:db-ABCDEFGHIJKL/app`;

/** What the doctor prints with `--json`. */
interface Report {
  readonly works: boolean;
  readonly cause?: ReportedCause;
  readonly steps: readonly ReportedStep[];
}

interface ReportedCause {
  readonly diagnosis: string;
  readonly why: string;
  readonly fix: readonly Readonly<Record<string, string>>[];
}

interface ReportedStep {
  readonly step: string;
  readonly outcome: string;
  readonly seen: string;
  readonly causes: readonly ReportedCause[];
}

export interface Examined extends Outcome {
  readonly report: Report;
  step(name: string): ReportedStep;
}

export interface World extends AsyncDisposable {
  readonly emulator: Emulator;
  readonly aws: Aws;
  readonly dns: DnsServer;
  readonly caFile: string;
  /** Environment variables that lead a process into this world. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** The arguments with which the doctor is run there. */
  args(request?: Examination): string[];
  /** Runs the doctor on a URL's user and host, `app@HOST` if none is given. */
  examine(request?: Examination): Promise<Examined>;
}

interface Examination {
  readonly user?: string;
  readonly host?: string;
  readonly port?: number;
  readonly database?: string;
  /** In place of the emulator's. */
  readonly ca?: string | undefined;
  readonly flags?: readonly string[];
  readonly variables?: Readonly<Record<string, string | undefined>>;
  /** The DNS server to ask in place of the one that knows the name, `host:port`. */
  readonly dns?: string;
}

export const simulated = (EvalDecision: string, more: object = {}) =>
  result({ EvaluationResults: { member: [{ EvalActionName: 'rds-db:connect', EvalDecision, ...more }] } });

/** What AWS says where all is well. */
const WELL: AwsHandlers = {
  rds: { DescribeDBInstances: instance({ IAMDatabaseAuthenticationEnabled: true }) },
  iam: { SimulatePrincipalPolicy: simulated('allowed') },
  logs: { FilterLogEvents: result({ events: [] }) },
};

/** How many tokens arrived, good or not. */
export function tokensAt({ emulator }: World): number {
  const { accepted, refused } = emulator.stats;
  const { plaintext, protocol, timeout, ...others } = refused;
  return accepted + Object.values(others).reduce((sum, count) => sum + count, 0);
}

/** The most likely problem, if the login does not work. */
export function mostLikely({ exitCode, stdout, stderr, report }: Examined) {
  expectNoSecrets(stdout + stderr, [CREDENTIALS.secretAccessKey]);
  expect(report.works).toBe(false);
  return { exitCode, diagnosis: report.cause?.diagnosis };
}

export const outcomes = ({ report }: Examined) =>
  Object.fromEntries(report.steps.map(({ step, outcome }) => [step, outcome]));

interface RdsLikePostgres extends AsyncDisposable {
  readonly server: PostgresServer;
  /** The certificate of its authority. */
  readonly ca: string;
  /** The members of rds_iam, according to the server. */
  iamUsers(): Promise<string[]>;
  run(...statements: string[]): Promise<void>;
}

/** PostgreSQL with TLS, which trusts members of rds_iam, for the emulator, and asks everybody else for a password. */
async function startRdsLikePostgres(): Promise<RdsLikePostgres> {
  const authority = await createCertificateAuthority();
  const { cert, key } = await authority.issue({ hostnames: ['127.0.0.1'] });
  const server = await startPostgres({
    tls: { cert, key },
    hba: ['hostssl all +rds_iam 127.0.0.1/32 trust', 'hostssl all all 127.0.0.1/32 scram-sha-256'],
  });
  const admin = await server.connectAsSuperuser();
  const run = async (...statements: string[]) => {
    for (const statement of statements) await admin.query(statement);
  };
  await run(
    'create role rds_iam',
    'create role rds_superuser',
    'create user app with login',
    'grant rds_iam to app',
    "create user clerk with login password 'stored'",
    "create user master with login password 'stored'",
    'grant rds_superuser to master',
    'create database shop',
  );
  const close = async () => {
    await admin.end();
    await server.close();
  };
  return {
    server,
    ca: authority.ca,
    run,
    async iamUsers() {
      const { rows } = await admin.query(
        "select rolname::text as name from pg_roles where pg_has_role(oid, 'rds_iam', 'member') and not rolsuper and rolcanlogin",
      );
      return rows.map(({ name }) => name);
    },
    [Symbol.asyncDispose]: close,
  };
}

/** A {@link startRdsLikePostgres} for all tests of a file. */
export function sharedRdsLikePostgres() {
  let started: RdsLikePostgres | undefined;
  let iamUsers: string[] = [];
  beforeAll(async () => {
    started = await startRdsLikePostgres();
    iamUsers = await started.iamUsers();
  });
  afterAll(() => started?.[Symbol.asyncDispose]());
  const postgres = () => {
    if (!started) throw new Error('it runs within tests only');
    return started;
  };
  const upstream = () => ({ hostname: '127.0.0.1', port: postgres().server.port, tls: { ca: postgres().ca } });
  return {
    postgres,
    /** The upstream for an emulator in front of it. */
    upstream,
    /** The option of an emulator that knows who logs in with IAM. */
    rdsLike: () => ({ upstream: upstream(), iamUsers }),
  };
}

/** @param emulated - changes to the emulator's options; @param handlers - AWS's answers where they differ from "all is well" */
export async function startWorld(
  emulated: Partial<EmulatorOptions> & Pick<EmulatorOptions, 'upstream'>,
  handlers: AwsHandlers = {},
  { awsRegion = 'eu-west-1' } = {},
): Promise<World> {
  const emulator = await startEmulator({
    region: 'eu-west-1',
    accessKeys: [CREDENTIALS],
    hostnames: [HOST],
    ...emulated,
  });
  const aws = await startAws(WELL, { region: awsRegion });
  aws.answer(handlers);
  const dns = await startDns();
  dns.a(HOST, '127.0.0.1');
  const folder = mkdtempSync(join(tmpdir(), 'rds-iam-doctor-'));
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, emulator.ca);
  const variables = { ...aws.variables, NODE_OPTIONS: askingDns(dns.address) };
  const scheme = emulated.engine === 'mysql' ? 'mysql' : 'postgresql';
  const args = (request: Examination = {}) => {
    const { user = 'app', host = HOST, port = emulator.port, database = 'shop', flags = [] } = request;
    const ca = 'ca' in request ? request.ca : caFile;
    const url = `${scheme}://${user}@${host}:${port}/${database}`;
    return ['doctor', url, ...(ca === undefined ? [] : ['--ca', ca]), ...flags];
  };
  return {
    emulator,
    aws,
    dns,
    caFile,
    variables,
    args,
    async examine(request = {}) {
      const outcome = await runHere(
        [...args(request), '--json'],
        { ...aws.variables, ...request.variables },
        request.dns ?? dns.address,
      );
      if (!outcome.stdout.startsWith('{')) throw new Error(`no report: ${outcome.stdout}${outcome.stderr}`);
      const report = JSON.parse(outcome.stdout) as Report;
      return {
        ...outcome,
        report,
        step(name) {
          const found = report.steps.find(({ step }) => step === name);
          if (!found) throw new Error(`there is no step ${name}`);
          return found;
        },
      };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([emulator.close(), aws.close(), dns.close()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
