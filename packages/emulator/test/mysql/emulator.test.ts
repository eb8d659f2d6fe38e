import { inspect } from 'node:util';
import type { MariadbServer } from '@rds-iam/test-servers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EmulatorOptions, startEmulator } from '../../src/index.js';
import { failure, KEY, REGION } from '../harness.js';
import { leavesNothing } from '../leaves-nothing-behind.js';
import { ask, PASSWORD, sign, start, startServer } from './harness.js';

let server: MariadbServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

test.each([
  ['"engine" must be one of "postgres", "mysql", got "oracle"', { engine: 'oracle' }],
  ['"upstream.username" must be a string that is not empty', { upstream: { hostname: 'x', port: 1, username: '' } }],
  [
    '"requireSecureTransport" must be a boolean, and is for the engine "mysql", got "yes"',
    { requireSecureTransport: 'yes' },
  ],
  [
    '"requireSecureTransport" must be a boolean, and is for the engine "mysql", got true',
    { engine: 'postgres', requireSecureTransport: true },
  ],
])('%s', async (message, options) => {
  const good = { engine: 'mysql', upstream: { hostname: '127.0.0.1', port: 1 }, region: REGION, accessKeys: [KEY] };
  const error = await failure(startEmulator({ ...good, ...options } as EmulatorOptions));
  expect(error).toBeInstanceOf(TypeError);
  expect(error.message).toContain(message);
});

test('never shows a secret or a token', async () => {
  await using emulator = await start(server);
  const token = await sign(emulator);
  await ask(emulator, { password: token });
  const error = await failure(ask(emulator, { password: `${token}x` }));
  const shown = [emulator, emulator.stats, error].map((value) =>
    inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true }),
  );
  for (const secret of [KEY.secretAccessKey, PASSWORD, /X-Amz-Signature=(\w+)/.exec(token)?.[1] ?? 'none']) {
    expect(shown.join('\n')).not.toContain(secret);
  }
});

test('close leaves nothing that keeps a process alive', async () => {
  expect(await leavesNothing('mysql', server)).toBe('closed, with 0 sockets');
});
