// A program that must end by itself: see emulator.test.ts.
import { connect, Socket } from 'node:net';
import { Signer } from '@aws-sdk/rds-signer';
import mysql from 'mysql2/promise';
import { startEmulator } from '../../src/index.js';

async function main(): Promise<void> {
  const credentials = { accessKeyId: 'AKID', secretAccessKey: 'secret' };
  const region = 'eu-west-1';
  const upstream = JSON.parse(process.argv[2] ?? '') as { hostname: string; port: number };
  const emulator = await startEmulator({ engine: 'mysql', upstream, region, accessKeys: [credentials] });
  const { hostname, port, ca } = emulator;
  const signer = new Signer({ hostname, port, username: 'nobody_asks', region, credentials });
  const login = { host: hostname, port, user: 'nobody_asks', ssl: { ca }, enableCleartextPlugin: true };
  const session = await mysql.createConnection({ ...login, password: await signer.getAuthToken() });
  session.on('error', () => {});
  await mysql.createConnection({ ...login, password: 'x' }).catch(() => {});
  const silent = connect(port, '127.0.0.1');
  silent.on('error', () => {});
  await new Promise((resolve) => silent.once('data', resolve));
  await emulator.close();
  silent.destroy();
  await new Promise((resolve) => setImmediate(resolve));
  // Undocumented, but the one list of what is open.
  const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
  const sockets = handles.filter((handle) => handle instanceof Socket && handle.remotePort !== undefined);
  process.stdout.write(`closed, with ${sockets.length} sockets\n`);
}

void main();
