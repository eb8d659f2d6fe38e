import { expect, test } from 'vitest';
import { opened, openIoredis } from './clients.js';
import { describeFaults, startDatabase, startedRedis, TIMEOUT_MS } from './faults.js';

describeFaults(openIoredis);

test('an answer that arrived in time counts, even if the process was too busy to read it', async () => {
  const redis = await startedRedis();
  const application = await opened(openIoredis, redis.url);
  const database = await startDatabase(application);
  await database.connect(1);
  const underWay = database.connect(1);
  // By then the reservation has been sent; node-redis would write it a turn later.
  await new Promise(setImmediate);
  const busyUntil = performance.now() + 2 * TIMEOUT_MS;
  while (performance.now() < busyUntil);
  await underWay;
  expect(database.unavailable).toEqual([]);
});
