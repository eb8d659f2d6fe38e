import { performance } from 'node:perf_hooks';
import type { ConnectionLimiter } from '@rds-iam/core';
import { configError } from '@rds-iam/core/adapter';
import { connected, type RedisClient, type ScriptClient, scriptClient } from './client.js';
import { RESERVE_SCRIPT } from './reserve-script.js';

/** Options of {@link redisLimiter}. */
export interface RedisLimiterOptions {
  /**
   * The application's own client, from ioredis or node-redis. It is only used: connecting it, listening for its errors and
   * closing it is up to the application.
   */
  readonly client: RedisClient;
  /**
   * How many processes share the limit (1 to 1_000_000). While Redis does not answer, each keeps to its share.
   * @defaultValue 1: each process uses the whole limit on its own
   */
  readonly fleetSize?: number;
  /** How long to wait for Redis, in milliseconds (1 to 60_000). @defaultValue 100 */
  readonly timeoutMs?: number;
  /** The beginning of the keys, followed by host name and port. @defaultValue `'rds-iam:'` */
  readonly keyPrefix?: string;
}

/**
 * Shares `maxConnectionsPerSecond` for each database instance among all processes whose limiters use the same Redis or Valkey
 * and the same `keyPrefix`.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` that names the option, if one is wrong or unknown
 */
export function redisLimiter(options: RedisLimiterOptions): ConnectionLimiter {
  const { client, fleetSize, timeoutMs, keyPrefix } = checkOptions(options);
  const script = scriptClient(client);
  // A new client gets time to connect; after that, a client that is not connected fails at once.
  let connecting: Promise<void> | undefined = connected(client, script).then(() => {
    connecting = undefined;
  });
  /** When the reservations that are waiting for Redis began, oldest first. */
  const waiting = new Set<{ readonly sinceMs: number }>();
  const isLate = ({ sinceMs }: { readonly sinceMs: number }) => performance.now() - sinceMs > timeoutMs;

  return {
    timeoutMs,
    shareWhenUnavailable: 1 / fleetSize,
    async reserve({ hostname, port, connectionsPerSecond, count }) {
      const [oldest] = waiting;
      // When a hung Redis continues, each waiting request reserves for nobody, so there must be no more than one.
      if (oldest && isLate(oldest)) throw notAnswered(script);
      const reservation = { sinceMs: performance.now() };
      waiting.add(reservation);
      try {
        if (connecting) {
          await connecting;
          // Nobody waits for this reservation any more.
          if (isLate(reservation)) throw new Error('Redis took longer to connect than "timeoutMs"');
        }
        if (!script.isReady()) throw notConnected();
        const answer = await script.run(
          RESERVE_SCRIPT,
          `${keyPrefix}${hostname}:${port}`,
          String(count),
          String(connectionsPerSecond),
        );
        // A client may be configured to return numbers as strings.
        const waitMs = Number(answer);
        if (!Number.isFinite(waitMs)) throw new Error('Redis answered with something that is not a number');
        return waitMs;
      } finally {
        waiting.delete(reservation);
      }
    },
  };
}

const notConnected = () => new Error('Redis connection is not ready');

const notAnswered = ({ isReady }: ScriptClient) =>
  isReady() ? new Error('Redis has not answered an earlier reservation yet') : notConnected();

const NAMES: Readonly<Record<keyof RedisLimiterOptions, true>> = {
  client: true,
  fleetSize: true,
  timeoutMs: true,
  keyPrefix: true,
};

function checkOptions(options: RedisLimiterOptions): Required<RedisLimiterOptions> {
  if (typeof options !== 'object' || options === null) {
    throw configError(undefined, 'redisLimiter() needs an object with your Redis client, such as { client }');
  }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(NAMES, name)) {
      throw configError(
        undefined,
        `unknown option "${name}" of redisLimiter(): the known ones are ${Object.keys(NAMES).join(', ')}`,
      );
    }
  }
  const { client, fleetSize = 1, timeoutMs = 100, keyPrefix = 'rds-iam:' } = options;
  checkNumber('fleetSize', fleetSize, 1_000_000);
  checkNumber('timeoutMs', timeoutMs, 60_000);
  if (typeof keyPrefix !== 'string') throw configError('keyPrefix', `must be a string, got ${typeof keyPrefix}`);
  return { client, fleetSize, timeoutMs, keyPrefix };
}

function checkNumber(name: keyof RedisLimiterOptions, value: unknown, max: number): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max) return;
  const got = typeof value === 'number' ? value : typeof value;
  throw configError(name, `must be a whole number from 1 to ${max}, got ${got}`);
}
