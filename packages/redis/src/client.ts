import { configError } from '@rds-iam/core';

/** What is used of a client of ioredis. */
export interface IoredisClient {
  readonly status: string;
  eval(script: string, numberOfKeys: number, ...keysAndArguments: string[]): Promise<unknown>;
  once(event: 'ready', listener: () => void): unknown;
}

/** What is used of a client of node-redis (`redis`). */
export interface NodeRedisClient {
  readonly isReady: boolean;
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  once(event: 'ready', listener: () => void): unknown;
}

/** The application's own client of Redis or Valkey: of ioredis or node-redis, as it has it. */
export type RedisClient = IoredisClient | NodeRedisClient;

/**
 * A client as rate-limiter-flexible takes one of node-redis. Handed ioredis's own, it would define a command on it, by the
 * same name as all its other limiters do: ours would run in place of the application's.
 */
export type ScriptClient = Pick<NodeRedisClient, 'isReady' | 'eval'>;

/** @throws RdsIamError `ERR_RDS_IAM_CONFIG` when it is no client of either */
export function scriptClient(client: RedisClient): ScriptClient {
  const { eval: run, once, status, isReady } = (client ?? {}) as Partial<IoredisClient & NodeRedisClient>;
  const isClient = typeof run === 'function' && typeof once === 'function';
  if (isClient && typeof status === 'string') {
    const ioredis = client as IoredisClient;
    return {
      get isReady() {
        return ioredis.status === 'ready';
      },
      eval: (script, { keys, arguments: args }) => ioredis.eval(script, keys.length, ...keys, ...args),
    };
  }
  if (isClient && typeof isReady === 'boolean') return client as NodeRedisClient;
  throw configError('"client" must be a client of ioredis (new Redis()) or of redis (createClient())');
}
