// One process of a fleet: makes its client and its pools, says that it is ready, and when told to, opens its connections.
import { subscribe } from 'node:diagnostics_channel';
import { createRdsIam, Pool } from '@rds-iam/pg';
import { redisLimiter } from '@rds-iam/redis';
import { Redis } from 'ioredis';
import { createClient } from 'redis';

const { url, library, fleetSize, limit, count, iam, ...login } = JSON.parse(process.env.MEMBER);

const client = library === 'ioredis' ? new Redis(url) : await createClient({ url }).connect();
const poolOf = (options) =>
  new Pool({ ...login, max: count, iam: createRdsIam({ ...iam, maxConnectionsPerSecond: limit, ...options }) });
const pools = {
  shared: poolOf({ limiter: redisLimiter({ client, fleetSize, timeoutMs: 10_000 }) }),
  alone: poolOf({}),
};

async function open(pool, howMany) {
  const connections = await Promise.all(Array.from({ length: howMany }, () => pool.connect()));
  for (const connection of connections) connection.release(true);
}

// When this process lets each connection go, by the one monotonic clock of the machine.
let admittedAtMs = [];
subscribe('rds-iam:connection:admitted', () => admittedAtMs.push(Number(process.hrtime.bigint()) / 1e6));

// What a process does but once, loading modules and signing a token, is behind it before the storm.
for (const pool of Object.values(pools)) await open(pool, 1);

process.on('message', async (name) => {
  if (name === 'end') {
    for (const pool of Object.values(pools)) await pool.end();
    if (library === 'ioredis') await client.quit();
    else await client.close();
    // With nothing left, it ends by itself.
    process.disconnect();
    return;
  }
  admittedAtMs = [];
  await open(pools[name], count);
  process.send(admittedAtMs);
});
process.send('ready');
