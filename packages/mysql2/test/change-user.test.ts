import { count } from '@rds-iam/conformance';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import * as callbacks from '../src/index.js';
import { createConnection, createRdsIam } from '../src/promise.js';
import { type Stack, startStack } from './stack.js';

let stack: Stack;
let serverTime: number | undefined;
beforeAll(async () => {
  stack = await startStack({ now: () => serverTime ?? Date.now() });
});
afterEach(() => {
  serverTime = undefined;
  stack.emulator.setFaults({});
});
afterAll(() => stack[Symbol.asyncDispose]());

/** Allows a login, but no change of user after it, in one second. */
const refusing = { throttle: { connectionsPerSecond: 1, action: 'deny', counting: 'logins' } } as const;

type Change = { readonly user: string; readonly database?: string };

/** The error of a change of user; undefined if it succeeds. */
const WAYS: Readonly<Record<string, (config: callbacks.ConnectionOptions, change: Change) => Promise<unknown>>> = {
  'with a callback': (config, change) =>
    new Promise((resolve) => {
      const connection = callbacks.createConnection(config);
      connection.changeUser(change, (error) => {
        connection.destroy();
        resolve(error ?? undefined);
      });
    }),
  'of /promise': async (config, change) => {
    const connection = await createConnection(config);
    return connection
      .changeUser(change)
      .then(
        () => undefined,
        (error: unknown) => error,
      )
      .finally(() => connection.destroy());
  },
};

describe.each(Object.entries(WAYS))('changeUser %s', (_, changeUser) => {
  test('forgets a refused token, and no other', async () => {
    const { username } = stack;
    const iam = createRdsIam(stack.iam);
    const config = { ...stack.config, iam };
    const signed = count('rds-iam:token:signed');
    expect(await changeUser(config, { user: username })).toBeUndefined();
    expect(await changeUser(config, { user: username, database: 'nowhere' })).toMatchObject({ errno: 1044 });
    expect(await changeUser(config, { user: username })).toBeUndefined();
    expect(signed()).toBe(1);

    serverTime = Date.now() + 5_000;
    stack.emulator.setFaults(refusing);
    expect(await changeUser(config, { user: username })).toMatchObject({ errno: 1045 });
    await expect.poll(signed).toBe(2);
  });

  test('keeps the token out of what "debug" prints, which goes on after it', async () => {
    const { username } = stack;
    const iam = createRdsIam(stack.iam);
    const { token } = await iam.getToken({ hostname: 'localhost', port: stack.emulator.port, username });
    const lines: string[] = [];
    const printed = vi.spyOn(console, 'log').mockImplementation((line: unknown) => void lines.push(String(line)));
    vi.spyOn(console, 'trace').mockImplementation(() => {});
    expect(await changeUser({ ...stack.config, iam, debug: true }, { user: username })).toBeUndefined();
    printed.mockRestore();
    vi.restoreAllMocks();
    expect(lines.join('\n')).not.toContain(Buffer.from(token.slice(0, 100)).toString('hex'));
    expect(lines.filter((line) => line.includes('ChangeUser')).length).toBeGreaterThan(1);
    expect(lines.at(-1)).toContain('ChangeUser');
  });
});
