import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmulator } from '@rds-iam/emulator';
import { type ConnectionSettings, describeConnection } from './connection-settings.js';
import { UsageError } from './exit-code.js';
import { DEFAULT_PORTS, portOf, type Settings } from './settings.js';
import { print, tell } from './terminal.js';

export interface EmulateRequest {
  readonly listenPort: string;
  readonly json?: boolean | undefined;
}

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

type Environment = Readonly<Record<string, string | undefined>>;

/** Serves until it is told to stop. */
export async function emulate(
  settings: Settings,
  { listenPort, json = false }: EmulateRequest,
  environment: Environment,
): Promise<number> {
  const { engine, hostname, username, database } = settings;
  if (engine === undefined) throw new UsageError('the database is missing: give its URL, or --hostname and --engine');
  const port = portOf('--listen-port', listenPort, 0);
  const password = settings.password ?? environment[engine === 'mysql' ? 'MYSQL_PWD' : 'PGPASSWORD'];
  const region = settings.region ?? (environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'] || 'eu-west-1');
  // Made up at each start: whoever can read it gets into the database.
  const accessKey = { accessKeyId: 'AKIDLOCAL', secretAccessKey: randomBytes(20).toString('hex') };
  const stopped = new AbortController();
  const stop = () => stopped.abort();
  for (const signal of STOP_SIGNALS) process.on(signal, stop);
  const folder = mkdtempSync(join(tmpdir(), 'rds-iam-emulator-'));
  try {
    const emulator = await startEmulator({
      engine,
      upstream: {
        hostname: hostname ?? '127.0.0.1',
        port: settings.port ?? DEFAULT_PORTS[engine],
        ...(username !== undefined && { username }),
        ...(password && { password }),
      },
      region,
      port,
      accessKeys: [accessKey],
      onLogin: (login) => {
        const who = login.username === undefined ? 'nobody yet' : JSON.stringify(login.username);
        const why = login.outcome === 'refused' ? `: ${login.reason}` : '';
        tell(`${new Date(login.atMs).toISOString()} ${login.outcome} ${who}${why}`);
      },
    });
    try {
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
      print(json ? JSON.stringify(connection) : describeConnection(connection));
      tell(`listening on ${emulator.hostname}:${emulator.port}; Ctrl-C ends it`);
      if (!stopped.signal.aborted) await once(stopped.signal, 'abort');
    } finally {
      await emulator.close();
    }
    tell('stopped');
    return 0;
  } finally {
    for (const signal of STOP_SIGNALS) process.off(signal, stop);
    rmSync(folder, { recursive: true, force: true });
  }
}
