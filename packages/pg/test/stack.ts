import { randomBytes } from 'node:crypto';
import { Socket, type SocketConnectOpts } from 'node:net';
import { type Emulator, type EmulatorOptions, startEmulator } from '@rds-iam/emulator';
import pg from 'pg';
import { inject } from 'vitest';
import type { RdsIamOptions } from '../src/index.js';

export const REGION = 'eu-west-1';
export const RDS_HOSTNAME = 'mydb.abc123.eu-west-1.rds.amazonaws.com';
export const CREDENTIALS = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
};

/** The emulator in front of the real PostgreSQL, a role of its own, and what a user would configure to log in. */
export interface Stack extends AsyncDisposable {
  readonly emulator: Emulator;
  readonly role: string;
  readonly iam: RdsIamOptions & { readonly enabled?: true };
  readonly config: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly database: string;
    readonly iam: Stack['iam'];
  };
  /** A client of the database itself, past the emulator. */
  readonly admin: pg.Client;
  /** How many server processes there are for the role. */
  backends(): Promise<number>;
}

export async function startStack(options: Partial<EmulatorOptions> = {}): Promise<Stack> {
  const upstream = inject('postgres');
  const admin = new pg.Client({ host: upstream.hostname, port: upstream.port, user: 'postgres', database: 'postgres' });
  await admin.connect();
  const role = `app_${randomBytes(4).toString('hex')}`;
  await admin.query(`create role ${role} login`);
  const emulator = await startEmulator({ upstream, region: REGION, accessKeys: [CREDENTIALS], ...options });
  const iam = { region: REGION, credentials: CREDENTIALS, ca: emulator.ca, retry: { baseDelayMs: 1, maxDelayMs: 5 } };
  const config = { host: 'localhost', port: emulator.port, user: role, database: 'postgres', iam };
  return {
    emulator,
    role,
    iam,
    config,
    admin,
    async backends() {
      const { rows } = await admin.query('select count(*)::int as n from pg_stat_activity where usename = $1', [role]);
      return rows[0].n;
    },
    async [Symbol.asyncDispose]() {
      await emulator.close();
      await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [role]);
      await admin.query(`drop role ${role}`);
      await admin.end();
    },
  };
}

/** For pg's `stream` option: a socket that finds every name on this machine, as RDS names are not to be had here. */
export function dialsLoopback(): Socket {
  class LoopbackSocket extends Socket {
    override connect(...args: unknown[]): this {
      const [port, host] = args as [number, string];
      const lookup: SocketConnectOpts = {
        port,
        host,
        lookup: (_name, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
      };
      return super.connect(lookup);
    }
  }
  return new LoopbackSocket();
}

/** The socket under a client, to look at. */
export function socketOf(client: pg.ClientBase): import('node:tls').TLSSocket {
  return (client as unknown as { connection: { stream: import('node:tls').TLSSocket } }).connection.stream;
}
