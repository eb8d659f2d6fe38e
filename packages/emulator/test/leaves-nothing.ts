// A program that must end by itself: see emulator.test.ts.
import { connect, Socket } from 'node:net';
import { Signer } from '@aws-sdk/rds-signer';
import pg from 'pg';
import { startEmulator } from '../src/index.js';

async function main(): Promise<void> {
  const credentials = { accessKeyId: 'AKID', secretAccessKey: 'secret' };
  const region = 'eu-west-1';
  const upstream = JSON.parse(process.argv[2] ?? '') as { hostname: string; port: number };
  const emulator = await startEmulator({ upstream, region, accessKeys: [credentials] });
  const { hostname, port, ca } = emulator;
  const signer = new Signer({ hostname, port, username: 'postgres', region, credentials });
  const session = new pg.Client({
    host: hostname,
    port,
    user: 'postgres',
    database: 'postgres',
    password: () => signer.getAuthToken(),
    ssl: { ca },
  });
  session.on('error', () => {});
  await session.connect();
  const silent = connect(port, '127.0.0.1');
  silent.on('error', () => {});
  await new Promise((resolve) => silent.once('connect', resolve));
  await emulator.close();
  silent.destroy();
  await new Promise((resolve) => setImmediate(resolve));
  // Undocumented, but the one list of what is open.
  const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
  const sockets = handles.filter((handle) => handle instanceof Socket && handle.remotePort !== undefined);
  process.stdout.write(`closed, with ${sockets.length} sockets\n`);
}

void main();
