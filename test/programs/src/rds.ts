import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Emulator, startEmulator } from '@rds-iam/emulator';
import { startMariadb, startPostgres, startRedis } from '@rds-iam/test-servers';

export const root = fileURLToPath(new URL('../../..', import.meta.url));

const HOSTNAMES = [
  'mydb.abc123.eu-west-1.rds.amazonaws.com',
  'app.cluster-abc123.eu-west-1.rds.amazonaws.com',
  'app.cluster-ro-abc123.eu-west-1.rds.amazonaws.com',
] as const;
const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };

/** What programs log in to. */
interface Backend {
  readonly engine: 'postgres' | 'mysql';
  /** The port that programs connect to if they name none, and that their tokens are for. */
  readonly defaultPort: number;
  start(): Promise<AsyncDisposable & { readonly hostname: string; readonly port: number }>;
}

export const POSTGRES: Backend = {
  engine: 'postgres',
  defaultPort: 5432,
  async start() {
    const server = await startPostgres();
    const admin = await server.connectAsSuperuser();
    await admin.query('create role app login');
    await admin.query('create database shop owner app');
    await admin.end();
    return server;
  },
};

export const MYSQL: Backend = {
  engine: 'mysql',
  defaultPort: 3306,
  async start() {
    const server = await startMariadb();
    const admin = await server.connectAsSuperuser();
    await admin.query("create user app@'%' identified by ''");
    await admin.query('create database shop');
    await admin.query("grant all on shop.* to app@'%'");
    await admin.end();
    return server;
  },
};

interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A database behind the emulator, a Redis, and programs that find it under the names of RDS endpoints. */
export interface PretendedRds extends AsyncDisposable {
  readonly emulator: Emulator;
  /** Runs Node.js with these arguments, which may name a TypeScript file. */
  run(args: readonly string[], cwd: string): Promise<Outcome>;
}

export async function pretendRds({ engine, defaultPort, start }: Backend): Promise<PretendedRds> {
  const database = await start();
  const redis = await startRedis();
  const emulator = await startEmulator({
    engine,
    upstream: { hostname: database.hostname, port: database.port },
    region: 'eu-west-1',
    accessKeys: [CREDENTIALS],
    hostnames: HOSTNAMES,
    tokenPort: defaultPort,
  });
  const folder = mkdtempSync(join(tmpdir(), 'rds-iam-programs-'));
  writeFileSync(join(folder, 'ca.pem'), emulator.ca);
  return {
    emulator,
    async run(args, cwd) {
      const preloaded = ['require-in-sources.mjs', 'pretend-rds.mjs'].map(
        (name) => new URL(name, import.meta.url).href,
      );
      const child = spawn(process.execPath, args, {
        cwd,
        env: {
          ...process.env,
          // In the environment, so that the processes that a command line tool starts have them too.
          NODE_OPTIONS: [
            '--conditions=@rds-iam/source',
            ...['tsx', ...preloaded].map((name) => `--import=${name}`),
          ].join(' '),
          AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
          AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
          EMULATOR_CA_FILE: join(folder, 'ca.pem'),
          EMULATOR_PORT: String(emulator.port),
          REDIS_URL: redis.url,
          NODE_ENV: 'production',
        },
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 30_000,
      });
      const said = { stdout: '', stderr: '' };
      for (const stream of ['stdout', 'stderr'] as const) {
        child[stream].on('data', (chunk) => {
          said[stream] += chunk;
        });
      }
      const [exitCode] = await once(child, 'close');
      return { exitCode, ...said };
    },
    async [Symbol.asyncDispose]() {
      await emulator.close();
      await redis.close();
      await database[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
}
