// A program that must end by itself, see emulator.test.ts of each engine: `leaves-nothing.ts postgres '{"hostname":…,"port":…}'`
import { connect, Socket } from 'node:net';
import { Signer } from '@aws-sdk/rds-signer';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { type Emulator, startEmulator } from '../src/index.js';

const USERS = { postgres: 'postgres', mysql: 'nobody_asks' } as const;

/** Leaves a session open. */
const LOGINS = {
  async postgres({ hostname: host, port, ca }: Emulator, user: string, password: string): Promise<void> {
    const session = new pg.Client({ host, port, user, database: 'postgres', password, ssl: { ca } });
    session.on('error', () => {});
    await session.connect();
  },
  async mysql({ hostname: host, port, ca }: Emulator, user: string, password: string): Promise<void> {
    const login = { host, port, user, ssl: { ca }, enableCleartextPlugin: true };
    const session = await mysql.createConnection({ ...login, password });
    session.on('error', () => {});
    await mysql.createConnection({ ...login, password: 'x' }).catch(() => {});
  },
} as const;

async function main(engine: 'postgres' | 'mysql', upstream: { hostname: string; port: number }): Promise<void> {
  const credentials = { accessKeyId: 'AKID', secretAccessKey: 'secret' };
  const region = 'eu-west-1';
  const emulator = await startEmulator({ engine, upstream, region, accessKeys: [credentials] });
  const { hostname, port } = emulator;
  const username = USERS[engine];
  const token = await new Signer({ hostname, port, username, region, credentials }).getAuthToken();
  await LOGINS[engine](emulator, username, token);
  const silent = connect(port, '127.0.0.1');
  silent.on('error', () => {});
  // MySQL sends the first packet, so its login has begun.
  await new Promise((resolve) => silent.once(engine === 'mysql' ? 'data' : 'connect', resolve));
  await emulator.close();
  silent.destroy();
  await new Promise((resolve) => setImmediate(resolve));
  // Undocumented, but the only list of open handles.
  const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
  const sockets = handles.filter((handle) => handle instanceof Socket && handle.remotePort !== undefined);
  process.stdout.write(`closed, with ${sockets.length} sockets\n`);
}

const [, , engine, upstream = ''] = process.argv;
void main(engine as 'postgres' | 'mysql', JSON.parse(upstream));
