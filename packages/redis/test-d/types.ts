// Checked by `tsc` alone: each @ts-expect-error is a test that what follows does not compile.
import { createRdsIam } from '@rds-iam/core';
import { Cluster, Redis } from 'ioredis';
import Redis5 from 'ioredis-oldest';
import { createClient } from 'redis';
import { createClient as createClient5 } from 'redis-5';
import { createClient as createClient4 } from 'redis-oldest';
import { redisLimiter } from '../src/index.js';

// The clients of both packages, of every version of the peer ranges, without a cast.
redisLimiter({ client: new Redis() });
redisLimiter({ client: new Redis5() });
redisLimiter({ client: createClient() });
redisLimiter({ client: createClient5() });
redisLimiter({ client: createClient4() });
redisLimiter({ client: createClient({ RESP: 2, disableOfflineQueue: true }) });

const client = new Redis({ lazyConnect: true, enableOfflineQueue: false, maxRetriesPerRequest: null });
createRdsIam({
  maxConnectionsPerSecond: 200,
  limiter: redisLimiter({ client, fleetSize: 8, timeoutMs: 50, keyPrefix: 'shop:' }),
});

// @ts-expect-error no client
redisLimiter({});
// @ts-expect-error the address of a server is no client
redisLimiter({ client: 'redis://localhost' });
// @ts-expect-error a misspelt option
redisLimiter({ client, fleetsize: 8 });
// @ts-expect-error an option of another type
redisLimiter({ client, timeoutMs: '100 ms' });
void Cluster;
