import { configError } from '@rds-iam/core/adapter';

interface Events {
  once(event: 'ready' | 'connect', listener: () => void): unknown;
}

/** The members used of an ioredis client or its `Cluster`. */
export interface IoredisClient extends Events {
  readonly status: string;
  eval(script: string, numberOfKeys: number, ...keysAndArguments: string[]): Promise<unknown>;
}

/** The members used of a node-redis (`redis`) client or cluster; before version 6, a cluster has `isOpen` but not `isReady`. */
export interface NodeRedisClient extends Events {
  readonly isReady?: boolean;
  readonly isOpen?: boolean;
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

/** The application's own client for Redis or Valkey, from ioredis or node-redis. */
export type RedisClient = IoredisClient | NodeRedisClient;

/** The only thing that a client is needed for. */
export interface ScriptClient {
  isReady(): boolean;
  run(script: string, key: string, ...args: string[]): Promise<unknown>;
}

/** @throws RdsIamError `ERR_RDS_IAM_CONFIG` if it is a client of neither */
export function scriptClient(client: RedisClient): ScriptClient {
  const given = (client ?? {}) as Partial<IoredisClient & NodeRedisClient>;
  if (typeof given.eval === 'function' && typeof given.once === 'function') {
    if (typeof given.status === 'string') {
      const ioredis = client as IoredisClient;
      return {
        isReady: () => ioredis.status === 'ready',
        run: (script, key, ...args) => ioredis.eval(script, 1, key, ...args),
      };
    }
    if (typeof (given.isReady ?? given.isOpen) === 'boolean') {
      const nodeRedis = client as NodeRedisClient;
      return {
        isReady: () => nodeRedis.isReady ?? nodeRedis.isOpen ?? false,
        run: (script, key, ...args) => nodeRedis.eval(script, { keys: [key], arguments: args }),
      };
    }
  }
  throw configError(
    'client',
    'must be a client of ioredis (new Redis(), new Cluster()) or of redis (createClient(), createCluster())',
  );
}

/** Resolves once a client has connected; a node-redis cluster emits a different event for that. */
export function connected(client: RedisClient, { isReady }: ScriptClient): Promise<void> {
  return new Promise((resolve) => {
    for (const event of ['ready', 'connect'] as const) {
      client.once(event, () => {
        if (isReady()) resolve();
      });
    }
    if (isReady()) resolve();
  });
}
