import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmulatorOptions, startEmulator } from '@rds-iam/emulator';
import { serveLivePage } from '@rds-iam/proxy/live-page';
import { startEmbeddedPostgres } from '../embedded-postgres/embedded-postgres.js';
import { UsageError } from '../exit-code.js';
import { DEFAULT_PORTS, type Engine, portOf, regionOf, type Settings } from '../settings.js';
import { printed, tell } from '../terminal.js';
import { type ConnectionSettings, describeConnection } from './connection-settings.js';
import { LoginMonitor } from './monitor.js';

export interface EmulateRequest {
  readonly listenPort: string;
  readonly httpPort?: string | undefined;
  readonly json?: boolean | undefined;
}

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

type Environment = Readonly<Record<string, string | undefined>>;

/** Serves until it is told to stop. */
export async function emulate(settings: Settings, request: EmulateRequest, environment: Environment): Promise<number> {
  const { engine, hostname, username } = settings;
  if (engine === undefined) {
    throw new UsageError('the database is missing: give its URL, --hostname and --engine, or --embedded');
  }
  const region = regionFor(settings, environment);
  const ports = portsOf(request);
  const password = settings.password ?? environment[engine === 'mysql' ? 'MYSQL_PWD' : 'PGPASSWORD'];
  const upstream = {
    hostname: hostname ?? '127.0.0.1',
    port: settings.port ?? DEFAULT_PORTS[engine],
    ...(username !== undefined && { username }),
    ...(password && { password }),
  };
  return untilStopped(async (folder, stopped) => {
    await serve(
      { ...settings, engine, region, folder, upstream, ...ports, json: request.json, ended: undefined },
      stopped,
    );
  });
}

export interface EmbeddedRequest extends EmulateRequest {
  /** The folder of its data. */
  readonly data?: string | undefined;
}

/** Serves in front of its own PostgreSQL. */
export async function emulateEmbedded(
  { engine = 'postgres', region: given, username = 'app', database = 'app' }: Settings,
  request: EmbeddedRequest,
  environment: Environment,
): Promise<number> {
  if (engine === 'mysql')
    throw new UsageError('--embedded starts a PostgreSQL: leave out --engine, or start a MySQL yourself');
  const region = regionFor({ region: given }, environment);
  const ports = portsOf(request);
  return untilStopped(async (folder, stopped) => {
    tell('starting a PostgreSQL');
    const { data } = request;
    await using upstream = await startEmbeddedPostgres({ data, username, database, signal: stopped });
    const { hostname, ended } = upstream;
    tell(`PostgreSQL keeps ${data === undefined ? 'its data in a temporary folder' : `its data in ${data}`}`);
    const at = { upstream: { hostname, port: upstream.port }, ended, ...ports };
    await serve({ engine, region, username, database, folder, json: request.json, ...at }, stopped);
  });
}

/** The region that tokens must be for. */
function regionFor({ region }: Pick<Settings, 'region'>, environment: Environment): string {
  if (region !== undefined) return region;
  const name = ['AWS_REGION', 'AWS_DEFAULT_REGION'].find((each) => environment[each]);
  return name === undefined ? 'eu-west-1' : regionOf(name, environment[name] ?? '');
}

function portsOf({ listenPort, httpPort }: EmulateRequest): Pick<Service, 'port' | 'httpPort'> {
  return {
    port: portOf('--listen-port', listenPort, 0),
    httpPort: httpPort === undefined ? undefined : portOf('--http-port', httpPort, 0),
  };
}

/** Runs with a temporary folder until a signal ends it. */
async function untilStopped(run: (folder: string, stopped: AbortSignal) => Promise<void>): Promise<number> {
  const stopped = new AbortController();
  const stop = () => stopped.abort();
  for (const signal of STOP_SIGNALS) process.on(signal, stop);
  const folder = mkdtempSync(join(tmpdir(), 'rds-iam-emulator-'));
  try {
    await run(folder, stopped.signal);
  } catch (error) {
    if (!stopped.signal.aborted) throw error;
  } finally {
    for (const signal of STOP_SIGNALS) process.off(signal, stop);
    rmSync(folder, { recursive: true, force: true });
  }
  tell('stopped');
  return 0;
}

interface Service {
  readonly engine: Engine;
  readonly upstream: EmulatorOptions['upstream'];
  /** Rejects if the database behind it ends. */
  readonly ended: Promise<never> | undefined;
  /** The port to listen on. */
  readonly port: number;
  /** The port of the live page. */
  readonly httpPort: number | undefined;
  readonly folder: string;
  readonly region: string;
  readonly username: string | undefined;
  readonly database: string | undefined;
  readonly json: boolean | undefined;
}

async function serve(service: Service, stopped: AbortSignal): Promise<void> {
  const { engine, upstream, region, ended, port, httpPort, folder, username, database, json = false } = service;
  const monitor = new LoginMonitor(Date.now);
  // New at each start: anybody who can read it gets into the database.
  const accessKey = { accessKeyId: 'AKIDLOCAL', secretAccessKey: randomBytes(20).toString('hex') };
  await using emulator = await startEmulator({
    ...{ engine, upstream, region, port, accessKeys: [accessKey] },
    onLogin: (login) => {
      monitor.take(login);
      const who = login.username === undefined ? 'nobody yet' : JSON.stringify(login.username);
      const why = login.outcome === 'refused' ? `: ${login.reason}` : '';
      tell(`${new Date(login.atMs).toISOString()} ${login.outcome} ${who}${why}`);
    },
  });
  await using page =
    httpPort === undefined
      ? undefined
      : await serveLivePage({ address: '127.0.0.1', port: httpPort }, () => monitor.state(emulator.stats));
  const http = page && `http://${page.address}:${page.port}/`;
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, emulator.ca);
  const connection: ConnectionSettings = {
    engine,
    hostname: emulator.hostname,
    port: emulator.port,
    username: username ?? 'app',
    database: database ?? (engine === 'mysql' ? 'mysql' : 'postgres'),
    region,
    caFile,
    ...accessKey,
  };
  // Nobody could log in without these settings, and if they cannot be printed, a database has to be shut down in order.
  await printed(json ? JSON.stringify({ ...connection, http }) : describeConnection(connection));
  const live = http === undefined ? '' : `, live at ${http}`;
  tell(`listening on ${emulator.hostname}:${emulator.port}${live}; Ctrl-C ends it`);
  if (!stopped.aborted) await Promise.race([once(stopped, 'abort'), ...(ended ? [ended] : [])]);
}
