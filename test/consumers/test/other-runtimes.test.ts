import type { Emulator, Faults } from '@rds-iam/emulator';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { Project } from '../src/project.js';
import { executableOf, OTHER_RUNTIMES } from '../src/runtimes.js';
import { openShop, type Shop } from '../src/shop.js';

const HOUR = 3_600_000;
const ALLOWED = ['app', 'app'];
const NO_TLS = ['ERR_RDS_IAM_TLS', 'ERR_RDS_IAM_TLS'];
const REFUSED = ['ERR_RDS_IAM_REFUSED', 'ERR_RDS_IAM_REFUSED'];

interface Server {
  readonly faults: Faults;
  readonly result: readonly string[];
  /** How long a refused login is retried. */
  readonly patienceMs: number;
  /** How many logins the server accepts. */
  readonly accepted: number;
}

const SERVERS: Readonly<Record<string, Server>> = {
  good: { faults: {}, result: ALLOWED, patienceMs: 0, accepted: 2 },
  'one login a second': {
    faults: { throttle: { connectionsPerSecond: 1, action: 'deny', counting: 'logins' } },
    result: ALLOWED,
    patienceMs: 20_000,
    accepted: 2,
  },
  'without TLS': { faults: { tls: 'off' }, result: NO_TLS, patienceMs: 0, accepted: 0 },
  'with another name in its certificate': { faults: { tls: 'wrong-name' }, result: NO_TLS, patienceMs: 0, accepted: 0 },
  'with a certificate from another authority': {
    faults: { tls: 'other-ca' },
    result: NO_TLS,
    patienceMs: 0,
    accepted: 0,
  },
  'with an expired certificate': { faults: { tls: 'expired' }, result: NO_TLS, patienceMs: 0, accepted: 0 },
  'that considers the token expired': {
    faults: { clockOffsetMs: HOUR },
    result: REFUSED,
    patienceMs: 500,
    accepted: 0,
  },
};

const project = new Project(inject('projects')['drivers'] as string);
const shops: Record<string, Shop> = {};
beforeAll(async () => {
  shops['pg'] = await openShop('postgres');
  shops['mysql2'] = await openShop('mysql');
});
afterAll(async () => {
  for (const shop of Object.values(shops)) await shop[Symbol.asyncDispose]();
});

describe.each([{ runtime: 'Node.js', name: undefined, path: '', args: [] }, ...OTHER_RUNTIMES])(
  'on $runtime',
  ({ runtime, name, path, args }) => {
    const executable = name ? executableOf(inject('projects')['runtimes'] as string, name, path) : process.execPath;
    if (!executable) process.stderr.write(`${runtime}: DID NOT RUN: it cannot be installed\n`);

    test.for(['pg', 'mysql2'])(
      '%s logs in, retries, refuses wrong servers, and ends by itself',
      { timeout: 60_000 },
      async (driver, { skip }) => {
        if (!executable) return skip('it cannot be installed');
        const shop = shops[driver] as Shop;
        const emulators: Record<string, Emulator> = {};
        for (const [server, { faults }] of Object.entries(SERVERS)) emulators[server] = await shop.withFaults(faults);
        const servers = Object.entries(emulators).map(([server, { port, ca }]) => [
          server,
          { port, ca, patienceMs: SERVERS[server]?.patienceMs },
        ]);
        const environment = {
          ...shop.environment,
          DRIVER: driver,
          SERVERS: JSON.stringify(Object.fromEntries(servers)),
          NO_COLOR: '1',
          DENO_NO_UPDATE_CHECK: '1',
        };
        const printed = JSON.parse(await project.run('every-server.mjs', environment, executable, args));
        expect(printed).toEqual(
          Object.fromEntries(Object.entries(SERVERS).map(([server, { result }]) => [server, result])),
        );
        for (const [server, { accepted }] of Object.entries(SERVERS)) {
          expect(emulators[server]?.stats.accepted, server).toBe(accepted);
        }
      },
    );
  },
);
