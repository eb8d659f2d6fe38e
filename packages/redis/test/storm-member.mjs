// One process of a storm over a Redis Cluster: from the first word on it opens connections as fast as it may, several at a
// time, and says how far it is; at the next word it ends.
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createRdsIam, Pool } from '@rds-iam/pg';
import { redisLimiter } from '@rds-iam/redis';
import { Cluster } from 'ioredis';
import { createCluster } from 'redis';

const { nodes, library, fleetSize, limit, atATime, iam, ...login } = JSON.parse(process.env.MEMBER);

const CLIENTS = {
  ioredis: async () => new Cluster(nodes),
  'node-redis': () =>
    createCluster({ rootNodes: nodes.map(({ host, port }) => ({ url: `redis://${host}:${port}` })) })
      .on('error', () => {})
      .connect(),
};
const client = await CLIENTS[library]();
client.on('error', () => {});

/** Logins that were let go and those that succeeded, how many Redis granted, and how often it was given up for a second. */
const progress = { admitted: 0, opened: 0, granted: 0, unavailable: 0 };
const limiter = redisLimiter({ client, fleetSize });
const countingLimiter = {
  ...limiter,
  async reserve(request) {
    const delayMs = await limiter.reserve(request);
    progress.granted += request.count;
    process.send(progress);
    return delayMs;
  },
};
subscribe('rds-iam:connection:admitted', () => {
  progress.admitted++;
});
subscribe('rds-iam:limiter:unavailable', () => {
  progress.unavailable++;
});

const pool = new Pool({
  ...login,
  max: atATime,
  iam: createRdsIam({ ...iam, maxConnectionsPerSecond: limit, limiter: countingLimiter }),
});
async function open() {
  const connection = await pool.connect();
  connection.release(true);
  progress.opened++;
  process.send(progress);
}

const begun = once(process, 'message');
// What a process does but once, loading modules and signing a token, is behind it before the storm.
await open();
await begun;
let isOver = false;
const over = once(process, 'message').then(() => {
  isOver = true;
});
await Promise.all(
  Array.from({ length: atATime }, async () => {
    while (!isOver) await open();
  }),
);
await over;
await pool.end();
if (library === 'ioredis') client.disconnect();
else client.destroy();
process.send(progress);
// With nothing left, it ends by itself.
process.disconnect();
