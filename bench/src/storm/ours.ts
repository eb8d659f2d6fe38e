import type { ConnectionLimiter } from '@rds-iam/core';
import { createPool } from '@rds-iam/mysql2/promise';
import { Pool } from '@rds-iam/pg';
import { redisLimiter } from '@rds-iam/redis';
import { Redis } from 'ioredis';
import { CREDENTIALS, credentialsOfMember, REGION } from '../login.js';
import type { Contender, Open, Storm } from './storm.js';

/** Ours, told what the server admits. */
export const oursKnowing: Contender = (storm) => open(storm, { maxConnectionsPerSecond: storm.connectionsPerSecond });

/** Ours as it is by default: to PostgreSQL no limit is known, to MySQL one that is too high. */
export const oursUnknowing: Contender = (storm) => open(storm, {});

/** Ours in one process of a fleet, told what the server admits to all of them. */
export const oursSharing: Contender = (storm) => {
  const limiter = redisLimiter({ client: new Redis(storm.redisUrl), fleetSize: storm.processes });
  return open(storm, { maxConnectionsPerSecond: storm.connectionsPerSecond, limiter });
};

/** Ours in as many processes as connections: each has a pool of its own, which knows of no other and was never logged in. */
export const oursFresh: Contender = (storm) => {
  let members = 0;
  return () => {
    const credentials = credentialsOfMember(members++);
    return open({ ...storm, wanted: 1 }, { credentials, retry: { timeoutMs: storm.deadlineMs } })();
  };
};

interface Options {
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly maxConnectionsPerSecond?: number;
  readonly limiter?: ConnectionLimiter;
  readonly retry?: { readonly timeoutMs: number };
}

function open(storm: Storm, options: Options): Open {
  const { engine, host, port, user, database, ca, wanted } = storm;
  const config = { host, port, user, database, iam: { region: REGION, credentials: CREDENTIALS, ca, ...options } };
  if (engine === 'mysql') {
    const pool = createPool({ ...config, connectionLimit: wanted });
    return () => pool.getConnection();
  }
  const pool = new Pool({ ...config, max: wanted });
  return () => pool.connect();
}
