import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { freePort, type RedisServer, startRedis } from '@rds-iam/test-servers';
import { Redis } from 'ioredis';

const MASTERS = 3;

/** Six real servers: three masters with a replica each, which notice within half a second when one is gone. */
export interface RedisCluster extends AsyncDisposable {
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** The node that has the slot of a key now. */
  masterOf(key: string): Promise<number>;
  /** Which node is the replica of the master at a port. */
  replicaOf(master: number): Promise<number>;
  /** Sends any command to the node at a port. */
  call(port: number, ...command: string[]): Promise<unknown>;
  /** Kills the process of the node at a port. */
  kill(port: number): Promise<void>;
}

export async function startRedisCluster(): Promise<RedisCluster> {
  const servers = new Map<number, RedisServer>();
  for (let node = 0; node < 2 * MASTERS; node++) {
    const server = await startRedis({
      args: [
        ...['--cluster-enabled', 'yes', '--cluster-node-timeout', '500', '--cluster-replica-validity-factor', '0'],
        ...['--cluster-port', String(await freePort()), '--repl-diskless-sync-delay', '0'],
      ],
    });
    servers.set(server.port, server);
  }
  const nodes = [...servers.keys()].map((port) => ({ host: '127.0.0.1', port }));
  await promisify(execFile)('redis-cli', [
    ...['--cluster', 'create', ...nodes.map(({ host, port }) => `${host}:${port}`)],
    ...['--cluster-replicas', '1', '--cluster-yes'],
  ]);

  async function call(port: number, ...[name = '', ...args]: string[]): Promise<unknown> {
    const client = new Redis({ host: '127.0.0.1', port, retryStrategy: null, lazyConnect: true });
    client.on('error', () => {});
    try {
      await client.connect();
      return await client.call(name, ...args);
    } finally {
      client.disconnect();
    }
  }
  return {
    nodes,
    call,
    async masterOf(key) {
      for (const port of servers.keys()) {
        const [role] = (await call(port, 'ROLE')) as [string];
        // A node that does not have the slot says who does, in place of an answer.
        const answer = await call(port, 'GET', key).catch((error: Error) => error);
        if (role === 'master' && !(answer instanceof Error)) return port;
      }
      throw new Error('no node has the key');
    },
    async replicaOf(master) {
      for (const port of servers.keys()) {
        const [role, , of] = (await call(port, 'ROLE')) as [string, unknown, unknown];
        if (role === 'slave' && of === master) return port;
      }
      throw new Error(`no node is a replica of ${master}`);
    },
    async kill(port) {
      await servers.get(port)?.close();
      servers.delete(port);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...servers.values()].map((server) => server.close()));
    },
  };
}
