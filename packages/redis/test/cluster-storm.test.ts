import { once } from 'node:events';
import { startStack } from '@rds-iam/conformance';
import { expect, test } from 'vitest';
import { fleetOf } from './members.js';
import { startRedisCluster } from './redis-cluster.js';

const PROCESSES = 8;
const LIMIT = 16;
/** What one process may open in a second in which it does without Redis. */
const SHARE = LIMIT / PROCESSES;
/** Granted and not used yet: at such a limit a process asks for one at a time, and for another where an answer came too late. */
const IN_HAND = 2;

interface Progress {
  readonly admitted: number;
  readonly opened: number;
  readonly granted: number;
  readonly unavailable: number;
}

test('eight processes in a storm, in which the node that has the key fails over', { timeout: 180_000 }, async () => {
  await using cluster = await startRedisCluster();
  const logins: string[] = [];
  await using stack = await startStack('postgres', { onLogin: ({ outcome }) => logins.push(outcome) });
  const { emulator, config } = stack;
  const iam = { ...config.iam, retry: { ...config.iam.retry, timeoutMs: 120_000, attemptTimeoutMs: 60_000 } };
  const startMember = await fleetOf('storm-member.mjs');
  const members = Array.from({ length: PROCESSES }, (_, index) =>
    startMember({
      ...config,
      iam,
      nodes: cluster.nodes,
      library: index % 2 === 0 ? 'ioredis' : 'node-redis',
      fleetSize: PROCESSES,
      limit: LIMIT,
      atATime: 3,
    }),
  );
  // What it said last is there with the end of its channel, which can be after its own.
  const ends = Promise.all(members.map((member) => Promise.all([once(member, 'exit'), once(member, 'disconnect')])));
  const progress: Progress[] = members.map((member, index) => {
    member.on('message', (message) => {
      progress[index] = message as Progress;
    });
    return { admitted: 0, opened: 0, granted: 0, unavailable: 0 };
  });
  const sum = (of: keyof Progress) => progress.reduce((total, each) => total + each[of], 0);
  /** Waits until each process has come so much further. */
  async function untilEach(further: Partial<Progress>) {
    const before = [...progress];
    const hasCome = (now: Progress, index: number) =>
      Object.entries(further).every(([of, by]) => {
        const name = of as keyof Progress;
        return now[name] >= (before[index] as Progress)[name] + by;
      });
    await expect.poll(() => progress.every(hasCome), { timeout: 120_000 }).toBe(true);
  }
  /** Watches the limit from now on; what comes of it checks that it was kept. A slow machine makes it less. */
  function watchLimit(): () => void {
    const [sinceMs, before] = [performance.now(), [...progress]];
    return () => {
      const since = progress.map(({ granted, unavailable, admitted }, index) => {
        const was = before[index] as Progress;
        const own = (unavailable - was.unavailable) * SHARE;
        return { granted: granted - was.granted, admitted: admitted - was.admitted, own };
      });
      const granted = since.reduce((total, each) => total + each.granted, 0);
      expect(granted).toBeLessThanOrEqual(((performance.now() - sinceMs) / 1_000) * LIMIT + PROCESSES * IN_HAND);
      for (const each of since) expect(each.admitted).toBeLessThanOrEqual(each.granted + each.own + IN_HAND + SHARE);
    };
  }

  await untilEach({ opened: 1 });
  emulator.setFaults({ throttle: { connectionsPerSecond: LIMIT, action: 'deny', counting: 'logins' } });
  const checkBefore = watchLimit();
  for (const member of members) member.send('begin');
  await untilEach({ opened: 4 });
  checkBefore();

  const key = `rds-iam:${config.host}:${config.port}`;
  const failing = await cluster.masterOf(key);
  const replica = await cluster.replicaOf(failing);
  // So long as the replica may not, nobody takes over: each process gets to know what that is like.
  await cluster.call(replica, 'CONFIG', 'SET', 'cluster-replica-no-failover', 'yes');
  await cluster.kill(failing);
  const checkGap = watchLimit();
  await untilEach({ opened: SHARE, unavailable: 3 });
  checkGap();
  await expect(cluster.masterOf(key)).rejects.toThrow('no node has the key');

  const checkAfter = watchLimit();
  await cluster.call(replica, 'CONFIG', 'SET', 'cluster-replica-no-failover', 'no');
  await untilEach({ opened: 4, granted: 4 });
  checkAfter();
  expect(await cluster.masterOf(key)).toBe(replica);

  for (const member of members) member.send('end');
  for (const [[exitCode]] of await ends) expect(exitCode).toBe(0);
  // Each connection that a process wanted has been opened: one that fails ends it. No login went past the limiter.
  expect(sum('opened')).toBe(logins.filter((outcome) => outcome === 'accepted').length);
  expect(logins.length).toBeLessThanOrEqual(sum('admitted'));
});
