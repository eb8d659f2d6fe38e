import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startStack } from '@rds-iam/conformance';
import { startRedis } from '@rds-iam/test-servers';
import { expect, onTestFinished, test } from 'vitest';

const PROCESSES = 8;
const LIMIT = 40;
const EACH = 15;
const ALL = PROCESSES * EACH;

// Real time: while a machine does other things, what is sent evenly does not arrive so.
const inRealTime = { timeout: 60_000, retry: 2 };

test('eight processes share one limit, which without sharing they overstep', inRealTime, async () => {
  await using redis = await startRedis();
  await using stack = await startStack('postgres');
  const { emulator, username: user, database, iam } = stack;
  const login = { host: 'localhost', port: emulator.port, user, database, iam };
  const members = Array.from({ length: PROCESSES }, (_, index) =>
    startMember({
      url: redis.url,
      library: index % 2 === 0 ? 'ioredis' : 'node-redis',
      fleetSize: PROCESSES,
      limit: LIMIT,
      count: EACH,
      ...login,
    }),
  );
  const exits = members.map((member) => once(member, 'exit'));
  await Promise.all(members.map(heardFrom));

  /** All open their connections at once. */
  const storm = async (how: 'shared' | 'alone') => {
    // The emulator keeps count of every second, and refuses what is above the figure.
    emulator.setFaults({ throttle: { connectionsPerSecond: LIMIT * 1.05, action: 'deny', counting: 'logins' } });
    const before = emulator.stats;
    const startedAt = performance.now();
    for (const member of members) member.send(how);
    await Promise.all(members.map(heardFrom));
    const { accepted, refused } = emulator.stats;
    return {
      accepted: accepted - before.accepted,
      throttled: refused.throttled - before.refused.throttled,
      tookMs: performance.now() - startedAt,
    };
  };

  const shared = await storm('shared');
  expect(shared).toMatchObject({ accepted: ALL, throttled: 0 });
  // The issue's figure is 1.15 for ten seconds' worth; in three, the last slot's process weighs more.
  expect(shared.tookMs).toBeLessThan(1.4 * (ALL / LIMIT) * 1_000);

  const alone = await storm('alone');
  expect(alone.accepted).toBe(ALL);
  expect(alone.throttled).toBeGreaterThan(0);

  for (const member of members) member.send('end');
  for (const [exitCode] of await Promise.all(exits)) expect(exitCode).toBe(0);
});

function startMember(member: object): ChildProcess {
  const child = spawn(process.execPath, [fileURLToPath(new URL('member.mjs', import.meta.url))], {
    env: { ...process.env, MEMBER: JSON.stringify(member), NODE_OPTIONS: '--conditions=@rds-iam/source --import=tsx' },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  onTestFinished(() => void child.kill());
  return child;
}

/** The next message of a member; fails if it ends instead. */
function heardFrom(member: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const ended = (exitCode: number | null) => reject(new Error(`a member ended with ${exitCode}`));
    member.once('exit', ended);
    member.once('message', () => {
      member.off('exit', ended);
      resolve();
    });
  });
}
