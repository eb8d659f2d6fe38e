import { once } from 'node:events';
import { lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { join } from 'node:path';
import { configError } from '@rds-iam/core/adapter';
import type { ListenAt, ProxyTarget } from './options.js';

/** The listener of one target. */
export type Listening =
  | { readonly address: string; readonly port: number }
  | { readonly folder: string; readonly path: string };

/** @param index - of the target, among those of its engine and among all. @throws the error of `listen`, such as EADDRINUSE */
export async function listen(
  server: Server,
  at: ListenAt,
  { engine }: ProxyTarget,
  index: { readonly ofAll: number; readonly ofEngine: number },
): Promise<Listening> {
  if ('address' in at) {
    await listening(server, { host: at.address, port: at.port === 0 ? 0 : at.port + index.ofAll });
    const bound = server.address();
    return { address: at.address, port: typeof bound === 'object' && bound ? bound.port : at.port };
  }
  const { folder, port = 5432 } = at;
  makePrivate(folder);
  const number = index.ofEngine === 0 ? '' : `-${index.ofEngine + 1}`;
  const name = engine === 'postgres' ? `.s.PGSQL.${port + index.ofEngine}` : `mysql${number}.sock`;
  const path = join(folder, name);
  try {
    await listening(server, { path });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || (await isServed(path))) throw error;
    // The socket of a proxy that was killed.
    unlinkSync(path);
    await listening(server, { path });
  }
  return { folder, path };
}

async function listening(server: Server, at: object): Promise<void> {
  server.listen(at);
  await once(server, 'listening');
}

/** Makes a folder that only its owner can access, or checks that an existing one is like that. */
function makePrivate(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(folder);
  const mine = uid === process.getuid?.();
  if (!mine || (mode & 0o077) !== 0) {
    const why = mine ? 'others may enter it' : 'it is not yours';
    throw configError('socketFolder', `is ${folder}, but ${why}: give a folder of your own, chmod 700, or a new one`);
  }
}

async function isServed(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
