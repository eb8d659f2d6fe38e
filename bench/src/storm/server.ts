import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { EmulatorOptions, LoginEvent, ThrottleFault } from '@rds-iam/emulator';
import { startMariadb, startPostgres, startRedis } from '@rds-iam/test-servers';
import { CREDENTIALS, credentialsOfMember, REGION } from '../login.js';

/** What a server does with logins over its limit, and which logins it counts. */
export type Limit = Pick<ThrottleFault, 'action' | 'counting'>;

/** Refuses like RDS, with the strictest counting. */
export const REFUSING_ALL: Limit = { action: 'deny', counting: 'logins' };

/** The number of fleet members, each with its own credentials, that the server supports. */
const MOST_MEMBERS = 400;

/** A database that admits a limited number of logins in any second. */
export interface LimitedServer extends AsyncDisposable {
  readonly engine: 'postgres' | 'mysql';
  readonly connectionsPerSecond: number;
  readonly host: string;
  readonly port: number;
  readonly ca: string;
  readonly user: string;
  readonly database: string;
  /** The URL of a Redis that the clients can share. */
  readonly redisUrl: string;
  /** Resets the limit's count and the log. */
  beginLog(limit: Limit | 'none'): Promise<void>;
  log(): Promise<readonly LoginEvent[]>;
  /** Resolves when no connection is left. */
  allClosed(): Promise<void>;
}

/** A real database, with the emulator in front of it in a separate process. */
export async function startLimitedServer(
  engine: 'postgres' | 'mysql',
  connectionsPerSecond: number,
): Promise<LimitedServer> {
  const upstream = engine === 'mysql' ? await startMysqlUpstream() : await startPostgresUpstream();
  const redis = await startRedis();
  const emulator = fork(new URL('../emulator-process.mjs', import.meta.url));
  const ask = async <T>(question: unknown): Promise<T> => {
    emulator.send(question as object);
    return ((await once(emulator, 'message')) as [T])[0];
  };
  const { hostname, port: upstreamPort } = upstream.server;
  const options: EmulatorOptions = {
    engine,
    upstream: { hostname, port: upstreamPort },
    region: REGION,
    accessKeys: [CREDENTIALS, ...Array.from({ length: MOST_MEMBERS }, (_, member) => credentialsOfMember(member))],
  };
  const { port, ca } = await ask<{ port: number; ca: string }>(options);
  const log = () => ask<{ logins: LoginEvent[]; open: number }>(['log']);
  return {
    ...{ engine, connectionsPerSecond, host: '127.0.0.1', port, ca, user: 'app', database: upstream.database },
    redisUrl: redis.url,
    beginLog: (limit) => ask(['faults', limit === 'none' ? {} : { throttle: { connectionsPerSecond, ...limit } }]),
    log: async () => (await log()).logins,
    async allClosed() {
      while ((await log()).open > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    },
    async [Symbol.asyncDispose]() {
      emulator.disconnect();
      await once(emulator, 'exit');
      await Promise.all([upstream.server.close(), redis.close()]);
    },
  };
}

/** Many more than any storm wants, so that the limit is the only one. */
const settings = { max_connections: '1000' };

async function startPostgresUpstream() {
  const server = await startPostgres({ settings });
  const superuser = await server.connectAsSuperuser();
  await superuser.query('CREATE ROLE app LOGIN');
  await superuser.end();
  return { server, database: 'postgres' };
}

async function startMysqlUpstream() {
  const server = await startMariadb({ settings });
  const admin = await server.connectAsSuperuser();
  await admin.query("create user app@'%' identified by ''");
  await admin.query('create database shop');
  await admin.query("grant all on shop.* to app@'%'");
  await admin.end();
  return { server, database: 'shop' };
}
