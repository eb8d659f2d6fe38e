import { randomBytes } from 'node:crypto';
import type { RdsIamOptions } from '@rds-iam/core';
import { type Emulator, type EmulatorOptions, startEmulator } from '@rds-iam/emulator';
import { CREDENTIALS } from '@rds-iam/test-servers';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { expect, inject, vi } from 'vitest';

export { CREDENTIALS };

export const REGION = 'eu-west-1';
export const RDS_HOSTNAME = 'mydb.abc123.eu-west-1.rds.amazonaws.com';

export type Engine = 'postgres' | 'mysql';

/** The emulator in front of a real database, with its own user, and the IAM options to log in with. */
export interface Stack extends AsyncDisposable {
  readonly emulator: Emulator;
  readonly username: string;
  readonly database: string;
  /** Quick retries, since there is no real server to wait for. */
  readonly iam: RdsIamOptions & { readonly enabled?: true };
  /** A driver's configuration for logging in. */
  readonly config: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly database: string;
    readonly iam: Stack['iam'];
  };
  /** The database itself, without the emulator, where no password is needed. */
  readonly upstream: { readonly hostname: string; readonly port: number };
  /** How many sessions the user has on the database. */
  sessions(): Promise<number>;
}

/** What differs between the engines behind the emulator. */
interface Database {
  readonly upstream: { readonly hostname: string; readonly port: number };
  readonly database: string;
  sessions(username: string): Promise<number>;
  dropUser(username: string): Promise<void>;
}

export async function startStack(engine: Engine, options: Partial<EmulatorOptions> = {}): Promise<Stack> {
  const username = `app_${randomBytes(4).toString('hex')}`;
  const { upstream, database, sessions, dropUser } = await DATABASES[engine](username);
  const emulator = await startEmulator({ engine, upstream, region: REGION, accessKeys: [CREDENTIALS], ...options });
  const iam = {
    region: REGION,
    credentials: CREDENTIALS,
    ca: emulator.ca,
    // What a test breaks on purpose stays broken, so a refused first login is not retried.
    retry: { baseDelayMs: 1, maxDelayMs: 5, patienceMs: 0 },
  };
  return {
    emulator,
    username,
    database,
    upstream,
    iam,
    config: { host: 'localhost', port: emulator.port, user: username, database, iam },
    sessions: () => sessions(username),
    async [Symbol.asyncDispose]() {
      await emulator.close();
      await dropUser(username);
    },
  };
}

const DATABASES: Readonly<Record<Engine, (username: string) => Promise<Database>>> = {
  async postgres(username) {
    const { hostname, port } = inject('postgres');
    const admin = new pg.Client({ host: hostname, port, user: 'postgres', database: 'postgres' });
    await admin.connect();
    await admin.query(`create role ${username} login`);
    // The role's search_path finds it by its name, so what tests create there is nobody else's.
    await admin.query(`create schema ${username} authorization ${username}`);
    return {
      upstream: { hostname, port },
      database: 'postgres',
      async sessions(name) {
        const { rows } = await admin.query('select count(*)::int as n from pg_stat_activity where usename = $1', [
          name,
        ]);
        return rows[0].n;
      },
      async dropUser(name) {
        await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [name]);
        await admin.query(`drop schema ${name} cascade`);
        await admin.query(`drop role ${name}`);
        await admin.end();
      },
    };
  },
  async mysql(username) {
    const { hostname, port, superuser } = inject('mysql');
    const admin = await mysql.createConnection({ host: hostname, port, ...superuser });
    await admin.query(`create user ${username}@'%' identified by ''`);
    await admin.query(`create database ${username}`);
    await admin.query(`grant all on ${username}.* to ${username}@'%'`);
    const sessionIds = async (name: string) => {
      const [rows] = await admin.query<mysql.RowDataPacket[]>(
        'select id from information_schema.processlist where user = ?',
        [name],
      );
      return rows.map(({ id }) => Number(id));
    };
    return {
      upstream: { hostname, port },
      database: username,
      sessions: async (name) => (await sessionIds(name)).length,
      async dropUser(name) {
        // An ended pool may still be opening a connection, which the plain connector before 3.5 must not lose then:
        // it leaves the rejection unhandled.
        await vi.waitFor(async () => expect(await sessionIds(name)).toEqual([]), 1_000).catch(() => {});
        // A session that has just ended cannot be killed any more.
        for (const id of await sessionIds(name)) await admin.query(`kill ${id}`).catch(() => {});
        await admin.query(`drop user ${name}@'%'`);
        await admin.query(`drop database ${name}`);
        await admin.end();
      },
    };
  },
};
