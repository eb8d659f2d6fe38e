import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rdsRoots } from '@rds-iam/core';
import { createCertificateAuthority, type Emulator, startEmulator } from '@rds-iam/emulator';
import {
  CREDENTIALS,
  type IssuedCredentials,
  type Sts,
  startDns,
  startInstanceMetadata,
  startMariadb,
  startPostgres,
  startRedis,
  startSts,
} from '@rds-iam/test-servers';
import { result } from '@rds-iam/test-servers/aws';
import { instance } from '@rds-iam/test-servers/rds-answers';
import { build } from 'esbuild';

export const root = fileURLToPath(new URL('../../..', import.meta.url));

const HOSTNAMES = [
  'mydb.abc123.eu-west-1.rds.amazonaws.com',
  'app.cluster-abc123.eu-west-1.rds.amazonaws.com',
  'app.cluster-ro-abc123.eu-west-1.rds.amazonaws.com',
  'app.proxy-abc123.eu-west-1.rds.amazonaws.com',
  // For the clients of MySQL, which check the name that they dial.
  '127.0.0.1',
] as const;
/** A company's names for its databases, and where they lead. */
const CUSTOM_NAMES = {
  'db.example.com': 'mydb.abc123.eu-west-1.rds.amazonaws.com',
  'reader.db.example.com': 'app.cluster-ro-abc123.eu-west-1.rds.amazonaws.com',
} as const;
/** The credentials of every role, whoever assumes it. */
const ROLE_CREDENTIALS = {
  accessKeyId: 'ASIAEXAMPLE',
  secretAccessKey: 'je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY',
  sessionToken: 'IQoJb3JpZ2luX2VjEXAMPLE',
};
/** The users that log in with IAM; all others use their password. */
const IAM_USERS = ['app', 'app_reader', 'migrator'] as const;
export const PASSWORD = 'secret';

type Server = AsyncDisposable & {
  readonly hostname: string;
  readonly port: number;
  connectAsSuperuser(database?: string): Promise<{ query(sql: string): Promise<unknown>; end(): Promise<void> }>;
};

/** A database that programs log in to. */
interface Backend {
  readonly engine: 'postgres' | 'mysql';
  /** The engine's default port, which programs connect to and their tokens are for. */
  readonly defaultPort: number;
  start(): Promise<Server>;
}

export const POSTGRES: Backend = {
  engine: 'postgres',
  defaultPort: 5432,
  async start() {
    const server = await startPostgres({ hba: ['host all all 127.0.0.1/32 scram-sha-256'] });
    const admin = await server.connectAsSuperuser();
    await admin.query(`create role rds_iam`);
    for (const user of IAM_USERS) await admin.query(`create role ${user} login password '${PASSWORD}' in role rds_iam`);
    await admin.query(`create role web login password '${PASSWORD}'; alter role postgres password '${PASSWORD}'`);
    await admin.query('create database shop owner app');
    await admin.end();
    const inShop = await server.connectAsSuperuser('shop');
    await inShop.query('grant create on schema public to migrator; grant create on database shop to migrator');
    await inShop.end();
    return server;
  },
};

export const MYSQL: Backend = {
  engine: 'mysql',
  defaultPort: 3306,
  async start() {
    const server = await startMariadb();
    const admin = await server.connectAsSuperuser();
    await admin.query('create database shop');
    for (const user of [...IAM_USERS, 'web', 'admin']) {
      await admin.query(`create user ${user}@'%' identified by '${PASSWORD}'`);
      await admin.query(`grant all on ${user === 'admin' ? '*.*' : 'shop.*'} to ${user}@'%'`);
    }
    await admin.end();
    return server;
  },
};

/** Variables that the documentation's programs read, which must not be the developer's. */
const OF_THE_DEVELOPER =
  /^(?:PG|MYSQL|DB_|OIDC_|DATABASE_URL$|FORCE_COLOR$|NO_COLOR$|AWS_(?:ROLE|WEB|CONTAINER|ENDPOINT|CA_BUNDLE))/;

export interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export type Variables = Readonly<Record<string, string | undefined>>;

/** Databases behind emulators, a Redis, a DNS and AWS's APIs, for programs that find them under the names of RDS and AWS. */
export interface PretendedRds extends AsyncDisposable {
  /** Of the first backend. */
  readonly emulator: Emulator;
  readonly emulators: Readonly<Record<string, Emulator>>;
  readonly servers: Readonly<Record<string, Server>>;
  readonly aws: Sts;
  readonly redisUrl: string;
  /** Resets RDS to the beginning, with IAM authentication off. */
  forgetChanges(): void;
  /** The environment that programs run in. */
  readonly variables: Variables;
  /** Runs Node.js with these arguments, which may name a TypeScript file. */
  run(args: readonly string[], cwd: string, variables?: Variables): Promise<Outcome>;
  /** Runs a program in JavaScript or TypeScript, with its imports from its own folder. */
  runProgram(name: string, cwd: string, variables?: Variables): Promise<Outcome>;
}

export async function pretendRds(...backends: readonly [Backend, ...Backend[]]): Promise<PretendedRds> {
  const folder = mkdtempSync(join(tmpdir(), 'rds-iam-programs-'));
  const running: AsyncDisposable[] = [];
  const keep = <Started extends AsyncDisposable>(started: Started): Started => {
    running.unshift(started);
    return started;
  };
  const redis = keep(await startRedis());
  const dns = keep(await startDns());
  for (const [name, target] of Object.entries(CUSTOM_NAMES)) dns.cname(name, target);
  const aws = keep(await startSts(roleCredentials));
  const forgetChanges = pretendInstance(aws);
  const metadata = keep(await startInstanceMetadata(roleCredentials));
  const started = await Promise.all(
    backends.map(async ({ engine, defaultPort, start }) => {
      const server = keep(await start());
      const emulator = keep(
        await startEmulator({
          engine,
          upstream: { hostname: server.hostname, port: server.port, password: PASSWORD },
          region: 'eu-west-1',
          accessKeys: [CREDENTIALS, ROLE_CREDENTIALS],
          hostnames: HOSTNAMES,
          tokenPort: defaultPort,
          iamUsers: IAM_USERS,
        }),
      );
      return { engine, defaultPort, server, emulator };
    }),
  );
  const mirror = keep(await startMirror());
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, [mirror.ca, ...started.map(({ emulator }) => emulator.ca)].join('\n'));
  const portsOf = (of: 'server' | 'emulator', offset: number) =>
    Object.fromEntries(started.map((each) => [each.defaultPort + offset, each[of].port]));
  const preloading = (...modules: readonly URL[]) => modules.map(({ href }) => `--import=${href}`).join(' ');
  const pretending = new URL('pretend-rds.mjs', import.meta.url);
  const typescript = pathToFileURL(createRequire(import.meta.url).resolve('tsx'));
  const variables: Variables = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !OF_THE_DEVELOPER.test(name))),
    // In the environment, so that processes started by a command line tool get them, too.
    NODE_OPTIONS: preloading(typescript, pretending),
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_ENDPOINT_URL_STS: aws.url,
    AWS_ENDPOINT_URL_RDS: aws.url,
    AWS_ENDPOINT_URL_IAM: aws.url,
    AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.url,
    AWS_EC2_METADATA_DISABLED: 'false',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    EMULATOR_CA_FILE: caFile,
    // The operator's certificates are added to the roots, so these programs trust the emulators.
    NODE_EXTRA_CA_CERTS: caFile,
    RDS_IAM_CA_MIRROR: mirror.url,
    PRETENDED_RDS_PORTS: JSON.stringify(portsOf('emulator', 0)),
    // The databases themselves, and tunnels to RDS.
    PRETENDED_LOCAL_PORTS: JSON.stringify({ ...portsOf('server', 0), ...portsOf('emulator', 10_000) }),
    PRETENDED_DNS: dns.address,
    REDIS_URL: redis.url,
    NODE_ENV: 'production',
  };
  const byEngine = <Value>(of: (each: (typeof started)[number]) => Value): Readonly<Record<string, Value>> =>
    Object.fromEntries(started.map((each) => [each.engine, of(each)]));
  const [first] = started;
  if (!first) throw new Error('no backend');
  return {
    emulator: first.emulator,
    emulators: byEngine(({ emulator }) => emulator),
    servers: byEngine(({ server }) => server),
    aws,
    redisUrl: redis.url,
    forgetChanges,
    variables,
    run: (args, cwd, more) => runNode(args, cwd, { ...variables, ...more }),
    async runProgram(name, cwd, more) {
      const program = await bundled(name, cwd);
      try {
        return await runNode([program], cwd, { ...variables, NODE_OPTIONS: preloading(pretending), ...more });
      } finally {
        rmSync(join(cwd, program));
      }
    },
    async [Symbol.asyncDispose]() {
      for (const each of running) await each[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

/**
 * Adds the instance `mydb` to the stand-in for AWS, with IAM authentication that can be turned on and off.
 *
 * @returns a function that turns it off, as in the beginning
 */
function pretendInstance(aws: Sts): () => void {
  let enabled = false;
  aws.answer({
    rds: {
      DescribeDBInstances: () => instance({ IAMDatabaseAuthenticationEnabled: enabled }),
      ModifyDBInstance({ parameters }) {
        enabled = parameters['EnableIAMDatabaseAuthentication'] === 'true';
        return result({ DBInstance: { DBInstanceIdentifier: 'mydb' } });
      },
    },
  });
  return () => {
    enabled = false;
  };
}

/** AWS's truststore, good enough for the checks of a download: it has RDS authorities, the same ones for every region. */
async function startMirror(): Promise<AsyncDisposable & { readonly url: string; readonly ca: string }> {
  const authority = await createCertificateAuthority();
  const roots = (await rdsRoots()).filter((pem) => new X509Certificate(pem).subject.includes('CN=Amazon RDS '));
  const server = createServer(await authority.issue({ hostnames: ['localhost'] }), (_, response) => {
    response.end(roots.join('\n'));
  }).listen(0, 'localhost');
  await once(server, 'listening');
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    ca: authority.ca,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function roleCredentials(): IssuedCredentials {
  return { ...ROLE_CREDENTIALS, expiration: new Date(Date.now() + 3_600_000) };
}

/** Bundles a program and its modules into one JavaScript file: compiling them in each process would double the time. */
async function bundled(name: string, cwd: string): Promise<string> {
  const outfile = `${name}.bundle.mjs`;
  await build({
    entryPoints: [name],
    outfile,
    absWorkingDir: cwd,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'silent',
  });
  return outfile;
}

async function runNode(args: readonly string[], cwd: string, env: Variables): Promise<Outcome> {
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (chunk) => {
      said[stream] += chunk;
    });
  }
  const [exitCode] = await once(child, 'close');
  return { exitCode, ...said };
}
