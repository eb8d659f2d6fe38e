import { findOrInstall } from './binaries.js';
import { account, freePort, makeFolder, runOwnServer } from './own-server.js';

export interface RedisServer extends AsyncDisposable {
  readonly hostname: '127.0.0.1';
  readonly port: number;
  /** `redis://127.0.0.1:port`. */
  readonly url: string;
  /** The server's log so far. */
  log(): string;
  close(): Promise<void>;
}

export interface RedisOptions {
  /** A port, to start again at the same one. @defaultValue a free one */
  readonly port?: number;
  /** Further arguments, such as `--cluster-enabled yes`. */
  readonly args?: readonly string[];
}

/** Starts a separate real Redis (or Valkey), on a free port and in its own folder, that ends with this process. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const command = await findOrInstall({
    name: 'a Redis server',
    // Redis is one program that acts according to the name it is called by. Debian also has it without a service, under the third of
    // these names.
    programs: ['redis-server', 'valkey-server', 'redis-check-rdb'],
    packages: ['redis-tools'],
    variable: 'TEST_REDIS_URL',
  });
  const port = options.port ?? (await freePort());
  const folder = makeFolder('redis');
  const server = await runOwnServer({
    name: 'Redis',
    folder,
    prepare: [],
    serve: {
      command,
      args: [
        ...'--bind 127.0.0.1 --save'.split(' '),
        '',
        '--port',
        String(port),
        '--dir',
        folder,
        ...(options.args ?? []),
      ],
      options: { ...account, argv0: 'redis-server' },
    },
    ready: /Ready to accept connections/i,
    stopSignal: 'SIGKILL',
  });
  return {
    hostname: '127.0.0.1',
    port,
    url: `redis://127.0.0.1:${port}`,
    log: server.log,
    close: server.close,
    [Symbol.asyncDispose]: server.close,
  };
}
