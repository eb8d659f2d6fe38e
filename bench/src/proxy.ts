import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createCertificateAuthority } from '@rds-iam/emulator';
import { startPostgres } from '@rds-iam/test-servers';
import pg from 'pg';
import type { Figure } from './figure.js';
import { formatNumber } from './figure.js';
import { CREDENTIALS, REGION } from './login.js';
import { ratioOfRates } from './rounds.js';

const HOST = '127.0.0.1';
const CLIENTS = 16;
const ROUNDS = 5;
const SECONDS = 3;
const RESULT_MB = 500;
const IDLE = 1_000;

type Variables = Readonly<Record<string, string>>;

/** The cost of the proxy between a program and the server, alternating with direct TLS. */
export async function proxy(): Promise<Figure[]> {
  const authority = await createCertificateAuthority();
  const { ca } = authority;
  await using server = await startPostgres({
    tls: await authority.issue({ hostnames: [HOST] }),
    hba: [`hostssl all all ${HOST}/32 password`],
    settings: { scram_iterations: '1', max_connections: String(2 * IDLE + 100), log_connections: 'off' },
  });
  const target = { engine: 'postgres', hostname: HOST, port: server.port, username: 'app', database: 'postgres' };
  const options = { target, iam: { region: REGION, credentials: CREDENTIALS }, ca };
  await using started = await startProxyProcess(options);
  const clear = { target: { ...target, username: 'clear' }, proxy: { passwordMethod: 'password' } };
  await using inClear = await startProxyProcess({ ...options, ...clear });
  const admin = await server.connectAsSuperuser();
  // Each has signed its own token.
  for (const [role, { token }] of Object.entries({ app: started, clear: inClear })) {
    await admin.query(`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD ${pg.escapeLiteral(token)}`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'rds-iam-bench-'));
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, ca);
  const common = { PGHOST: HOST, PGUSER: 'app', PGDATABASE: 'postgres' };
  const direct = {
    ...{ ...common, PGPORT: String(server.port), PGPASSWORD: started.token },
    ...{ PGSSLMODE: 'verify-full', PGSSLROOTCERT: caFile },
  };
  const through = { ...common, PGPORT: String(started.port), PGPASSWORD: 'bench', PGSSLMODE: 'disable' };
  const throughInClear = { ...through, PGPORT: String(inClear.port), PGUSER: 'clear' };
  try {
    await run('pgbench', ['-i', '-q', '-s', '5'], direct);
    const selects = ['-S', '-M', 'prepared', '-c', String(CLIENTS), '-j', '2', '-T', String(SECONDS)];
    const before = await started.usage();
    let queries = 0;
    const selected = await ratioOfRates(
      ROUNDS,
      async () => {
        const perSecond = await pgbench(selects, through);
        queries += perSecond * SECONDS;
        return perSecond;
      },
      () => pgbench(selects, direct),
    );
    const cpuMs = (await started.usage()).cpuMs - before.cpuMs;
    const large = await ratioOfRates(
      3,
      () => megabytesPerSecond(through),
      () => megabytesPerSecond(direct),
    );
    const flat = await started.usage();
    const connects = ['-S', '-C', '-c', '4', '-j', '2', '-T', String(SECONDS)];
    const [connected, connectedInClear] = [
      await ratioOfRates(
        ROUNDS,
        () => pgbench(connects, through),
        () => pgbench(connects, direct),
      ),
      await ratioOfRates(
        ROUNDS,
        () => pgbench(connects, throughInClear),
        () => pgbench(connects, direct),
      ),
    ];
    return [
      {
        ...{ figure: `proxy: pgbench, select only, ${CLIENTS} clients, to direct TLS`, ...selected },
        beside: `${selected.beside}; ${formatNumber((cpuMs * 1_000) / queries)} µs of the proxy's CPU a query`,
        wanted: { atLeast: 0.6 },
      },
      { ...{ figure: `proxy: a result of ${RESULT_MB} MB, to direct TLS`, ...large }, wanted: { atLeast: 0.8 } },
      {
        ...{ figure: `proxy: memory after results of ${RESULT_MB} MB`, measured: flat.rssBytes / 1e6, unit: 'MB' },
        ...{ beside: 'of the whole process', wanted: { below: 250 } },
      },
      {
        ...{ figure: 'proxy: connections per second, to direct TLS', ...connected, wanted: { atLeast: 0.8 } },
        beside: `${connected.beside}; of the client's, 4,096 rounds of SCRAM are in it, which a direct login has not`,
      },
      {
        ...{ figure: 'proxy: connections per second, password in clear text, to direct TLS', ...connectedInClear },
        wanted: { atLeast: 0.8 },
      },
      ...(await idleConnections(started)),
    ];
  } finally {
    await admin.end();
    rmSync(folder, { recursive: true });
  }
}

async function idleConnections({ port, usage, openBare }: ProxyProcess): Promise<Figure[]> {
  const empty = await usage();
  await openBare(IDLE);
  const bare = await usage();
  const clients: pg.Client[] = [];
  for (let opened = 0; opened < IDLE; opened++) {
    const client = new pg.Client({ host: HOST, port, user: 'app', password: 'bench', database: 'postgres' });
    // If one fails, the others are closed with the proxy; their errors are not the cause.
    client.on('error', () => {});
    await client.connect();
    clients.push(client);
  }
  const held = await usage();
  const answered = await Promise.all(clients.map((client) => client.query('select 1')));
  await Promise.all(clients.map((client) => client.end()));
  const bareKb = (bare.rssBytes - empty.rssBytes) / IDLE / 1_024;
  const ownKb = (held.rssBytes - bare.rssBytes) / IDLE / 1_024;
  return [
    {
      ...{
        figure: 'proxy: memory of an idle connection beyond a bare TLS socket',
        measured: ownKb - bareKb,
        unit: 'kB',
      },
      ...{ beside: `${formatNumber(ownKb)} kB to ${formatNumber(bareKb)} kB, of ${IDLE}`, wanted: { atMost: 64 } },
    },
    {
      ...{ figure: 'proxy: idle connections held, and answering', measured: answered.length, unit: '' },
      ...{ beside: 'in one process', wanted: { atLeast: IDLE } },
    },
  ];
}

interface Usage {
  readonly rssBytes: number;
  readonly cpuMs: number;
}

interface ProxyProcess extends AsyncDisposable {
  readonly token: string;
  readonly port: number;
  usage(): Promise<Usage>;
  openBare(count: number): Promise<void>;
}

/** @param options - the target, the options of IAM, the certificate authority, and others of the proxy under `proxy` */
export async function startProxyProcess(options: object): Promise<ProxyProcess> {
  const child = fork(new URL('./proxy-process.mjs', import.meta.url), { execArgv: ['--expose-gc'] });
  child.send(options);
  const [{ token, port }] = (await once(child, 'message')) as [{ token: string; port: number }];
  return {
    token,
    port,
    usage: async () => (await ask(child, 'usage')) as Usage,
    openBare: async (count) => void (await ask(child, 'openBare', count)),
    async [Symbol.asyncDispose]() {
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

async function ask(child: ChildProcess, question: string, given?: number): Promise<unknown> {
  child.send({ ask: question, with: given });
  const [{ answer }] = (await once(child, 'message')) as [{ answer: unknown }];
  return answer;
}

/** Transactions a second. */
async function pgbench(args: readonly string[], variables: Variables): Promise<number> {
  const out = await run('pgbench', args, variables);
  const [, perSecond] = /^tps = ([\d.]+)/m.exec(out) ?? [];
  if (perSecond === undefined) throw new Error(`pgbench says no rate: ${out}`);
  return Number(perSecond);
}

async function megabytesPerSecond(variables: Variables): Promise<number> {
  const sql = `copy (select repeat('x', 999) from generate_series(1, ${RESULT_MB * 1_000})) to stdout`;
  const startedAt = performance.now();
  await run('sh', ['-c', `psql -XAtc "${sql}" > /dev/null`], variables);
  return (RESULT_MB * 1_000) / (performance.now() - startedAt);
}

async function run(program: string, args: readonly string[], variables: Variables): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { env: { PATH: process.env['PATH'], ...variables } });
  return stdout;
}
