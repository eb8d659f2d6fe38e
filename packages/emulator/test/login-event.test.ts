import { expect, test } from 'vitest';
import type { LoginEvent } from '../src/index.js';
import { ask, failure, KEY, start, Wire } from './harness.js';

/** An emulator whose clock stands still, and its log. */
async function logged(options: Parameters<typeof start>[0] = {}) {
  const log: LoginEvent[] = [];
  const atMs = Date.now();
  const emulator = await start({ ...options, now: () => atMs, onLogin: (login) => log.push(login) });
  return { emulator, log, atMs };
}

test('the log has the logins in order, with the reasons that clients never get', async () => {
  const { emulator, log, atMs } = await logged({ accessKeys: [{ ...KEY, usernames: ['postgres'] }] });
  await using _ = emulator;
  await ask(emulator);
  await failure(ask(emulator, { password: 'x' }));
  await failure(ask(emulator, { user: 'somebody' }));
  emulator.setFaults({ throttle: { connectionsPerSecond: 0, action: 'deny', counting: 'logins' } });
  await failure(ask(emulator));
  const token = { fingerprint: expect.stringMatching(/^[0-9a-f]{12}$/), ageMs: expect.any(Number) };
  expect(log).toEqual([
    { atMs, username: 'postgres', token, outcome: 'accepted' },
    // Anything but a token may be a password, and its hash could give it away.
    { atMs, username: 'postgres', outcome: 'refused', reason: 'malformed' },
    { atMs, username: 'somebody', token, outcome: 'refused', reason: 'not-authorized' },
    { atMs, username: 'postgres', token, outcome: 'refused', reason: 'throttled' },
  ]);
  // The age is the signature's, whose time has no milliseconds.
  expect(Math.abs(log[0]?.token?.ageMs ?? Number.NaN)).toBeLessThan(60_000);
  expect(JSON.stringify(log)).not.toContain('X-Amz');
});

test('a user without rds_iam is logged, too', async () => {
  const { emulator, log, atMs } = await logged({ iamUsers: ['app'] });
  await using _ = emulator;
  await failure(ask(emulator));
  expect(log).toEqual([{ atMs, username: 'postgres', outcome: 'refused', reason: 'static-password' }]);
});

test('a client that sends nothing has no name', async () => {
  const { emulator, log, atMs } = await logged({ authenticationTimeoutMs: 50 });
  await using _ = emulator;
  await using wire = await Wire.open(emulator);
  await wire.rest();
  expect(log).toEqual([{ atMs, username: undefined, outcome: 'refused', reason: 'timeout' }]);
});
