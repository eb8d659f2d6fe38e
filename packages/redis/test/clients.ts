import { once } from 'node:events';
import { Redis } from 'ioredis';
import Redis5 from 'ioredis-oldest';
import { createClient } from 'redis';
import { createClient as createClient5 } from 'redis-5';
import { createClient as createClient6 } from 'redis-6';
import { createClient as createClient4 } from 'redis-oldest';
import { onTestFinished } from 'vitest';
import type { RedisClient } from '../src/index.js';

/** An application's client, connected or not. */
export interface Application {
  readonly client: RedisClient;
  /** Sends any command. */
  call(...command: string[]): Promise<unknown>;
}

/** Makes a client that is connecting; closes it when the test is over. */
export type Open = (url: string) => Application;

const ioredis = (Client: typeof Redis | typeof Redis5): Open => {
  return (url) => {
    const client = new (Client as typeof Redis)(url, { retryStrategy: () => 20 });
    client.on('error', () => {});
    onTestFinished(() => client.disconnect());
    return { client, call: (name, ...args) => client.call(name as string, ...args) };
  };
};

type CreateClient = typeof createClient | typeof createClient6 | typeof createClient5 | typeof createClient4;

const nodeRedis = (create: CreateClient): Open => {
  return (url) => {
    const client = (create as typeof createClient)({ url, socket: { reconnectStrategy: () => 20 } });
    client.on('error', () => {});
    client.connect().catch(() => {});
    // The method that ends it at once has another name in version 4.
    onTestFinished(() => ('destroy' in client ? client.destroy() : (client as Disconnectable).disconnect()));
    return { client, call: (...command) => client.sendCommand(command) };
  };
};

interface Disconnectable {
  disconnect(): Promise<void>;
}

export const openIoredis = ioredis(Redis);
export const openNodeRedis = nodeRedis(createClient);

/** The newest version of each, and the oldest of each part of the peer ranges. */
export const ALL: readonly [string, Open][] = [
  ['ioredis', openIoredis],
  ['node-redis', openNodeRedis],
  ['ioredis 5.0', ioredis(Redis5)],
  ['node-redis 6.0', nodeRedis(createClient6)],
  ['node-redis 5.0', nodeRedis(createClient5)],
  ['node-redis 4.2', nodeRedis(createClient4)],
];

/** A connected client. */
export async function opened(open: Open, url: string): Promise<Application> {
  const application = open(url);
  await once(application.client as unknown as EventTarget, 'ready');
  return application;
}
