import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRdsIam } from '@rds-iam/core';
import { packagedRoots } from '@rds-iam/core/doctor';
import { makeShop, startMariadb, startPostgres } from '@rds-iam/test-servers';
import type { Figure } from './figure.js';
import { CREDENTIALS, ENDPOINT, REGION } from './login.js';
import { ratioOfTimes } from './rounds.js';

const PAIRS = 41;

type Environment = Readonly<Record<string, string>>;

/** The environment of all programs: credentials, as on Lambda, and the endpoint's name. */
const ENVIRONMENT: Environment = {
  AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
  AWS_REGION: REGION,
  BENCH_HOSTNAME: ENDPOINT.hostname,
};

/** From the start of a process to its first token and its first answer, and the cost of the default roots. */
export async function coldStart(): Promise<Figure[]> {
  const tokenOf = (script: string) => async () => (await run(`token-${script}.mjs`, ENVIRONMENT)).ms;
  const figures: Figure[] = [
    {
      figure: 'process start to first token, ours to the bare signer',
      wanted: { atMost: 0.5 },
      ...(await ratioOfTimes(PAIRS, tokenOf('ours'), tokenOf('signer'))),
    },
  ];
  for (const [engine, driver] of [
    ['postgres', 'pg'],
    ['mysql', 'mysql2'],
  ] as const) {
    await using database = await startDatabase(engine);
    const first = (who: string) => async () =>
      (await run(`first-query/${driver}-${who}.mjs`, await database.environment())).ms;
    figures.push({
      figure: `process start to first answer, ours to ${driver} with the bare signer and AWS's bundle`,
      wanted: { atMost: 0.75 },
      ...(await ratioOfTimes(PAIRS, first('ours'), first('signer'))),
    });
    figures.push({
      figure: `process start to first answer, ours to ${driver} with a static password`,
      wanted: { atMost: 1.15 },
      ...(await ratioOfTimes(PAIRS, first('ours'), first('password'))),
    });
    if (engine === 'mysql') continue;
    const cpuMs = (more: (environment: Environment) => Environment) => async () => {
      const environment = await database.environment();
      return Number((await run('first-query/pg-ours.mjs', { ...environment, ...more(environment) })).said) / 1_000;
    };
    figures.push({
      figure: 'CPU of the first connection, with the default roots to a "ca" of three certificates',
      wanted: { atMost: 1.1 },
      ...(await ratioOfTimes(
        PAIRS,
        cpuMs(() => ({})),
        cpuMs(({ BENCH_THREE: ca = '' }) => ({ BENCH_CA: ca })),
      )),
    });
  }
  return figures;
}

interface Database extends AsyncDisposable {
  environment(): Promise<Environment>;
}

/** The parts of RDS that a cold start sees: its name, its certificate, its login, and AWS's bundle in a file. */
async function startDatabase(engine: 'postgres' | 'mysql'): Promise<Database> {
  const server = await (engine === 'postgres' ? startPostgres() : startMariadb());
  await makeShop(server);
  const emulator = fork(new URL('./emulator-process.mjs', import.meta.url));
  emulator.send({
    engine,
    upstream: { hostname: server.hostname, port: server.port },
    hostnames: [ENDPOINT.hostname],
    region: REGION,
    accessKeys: [CREDENTIALS],
  });
  const [{ port, ca }] = (await once(emulator, 'message')) as [{ port: number; ca: string }];
  const folder = await mkdtemp(join(tmpdir(), 'rds-iam-bench-'));
  const file = async (name: string, certificates: readonly string[]) => {
    await writeFile(join(folder, name), certificates.join(''));
    return join(folder, name);
  };
  const packaged = await packagedRoots();
  const roots = packaged.filter(({ region }) => region === REGION).map(({ pem }) => pem);
  const bundle = await file('global-bundle.pem', [...packaged.map(({ pem }) => pem), ca]);
  const extra = await file('ca.pem', [ca]);
  const iam = createRdsIam({ credentials: CREDENTIALS });
  return {
    async environment() {
      const { token } = await iam.getToken({ ...ENDPOINT, port });
      return {
        ...ENVIRONMENT,
        NODE_EXTRA_CA_CERTS: extra,
        BENCH_PORT: String(port),
        BENCH_PASSWORD: token,
        BENCH_BUNDLE: bundle,
        BENCH_ROOTS: [...roots, ca].join(''),
        BENCH_THREE: [...roots.slice(0, 2), ca].join(''),
      };
    },
    async [Symbol.asyncDispose]() {
      emulator.disconnect();
      await once(emulator, 'exit');
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** Runs a program. @returns the time until its first output, and the output */
async function run(script: string, env: Environment): Promise<{ readonly ms: number; readonly said: string }> {
  const path = (name: string) => fileURLToPath(new URL(`cold-start/${name}`, import.meta.url));
  const startedAt = performance.now();
  // Without this process's environment: neither its Node options nor the machine's AWS settings.
  const child = spawn(process.execPath, ['--import', path('rds-name.mjs'), path(script)], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let ms = Number.NaN;
  let said = '';
  child.stdout.once('data', (data: Buffer) => {
    ms = performance.now() - startedAt;
    said = String(data);
  });
  const [exitCode] = await once(child, 'close');
  if (exitCode !== 0 || Number.isNaN(ms)) throw new Error(`${script} gave nothing (exit code ${exitCode})`);
  return { ms, said };
}
