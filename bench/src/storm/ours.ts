import type { ConnectionLimiter } from '@rds-iam/core';
import { createPool } from '@rds-iam/mysql2/promise';
import { Pool } from '@rds-iam/pg';
import { redisLimiter } from '@rds-iam/redis';
import { Redis } from 'ioredis';
import { CREDENTIALS, credentialsOfMember, REGION } from '../login.js';
import type { Contender, Open, Storm } from './storm.js';

/** Ours, with the server's limit configured. */
export const oursKnowing: Contender = (storm) => open(storm, { maxConnectionsPerSecond: storm.connectionsPerSecond });

/** Ours with its defaults: no limit for PostgreSQL, and one that is too high for MySQL. */
export const oursUnknowing: Contender = (storm) => open(storm, {});

/** Ours in one process of a fleet, with the server's limit for the whole fleet configured. */
export const oursSharing: Contender = (storm) => {
  const limiter = redisLimiter({ client: new Redis(storm.redisUrl), fleetSize: storm.processes });
  return open(storm, { maxConnectionsPerSecond: storm.connectionsPerSecond, limiter });
};

/** Ours in as many processes as connections: each has its own pool, which knows of no other and has never logged in. */
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
