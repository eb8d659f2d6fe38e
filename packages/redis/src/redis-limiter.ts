import { performance } from 'node:perf_hooks';
import type { ConnectionLimiter } from '@rds-iam/core';
import { configError } from '@rds-iam/core/adapter';
import { connected, type RedisClient, type ScriptClient, scriptClient } from './client.js';
import { RESERVE_SCRIPT } from './reserve-script.js';

/** Options of {@link redisLimiter}. */
export interface RedisLimiterOptions {
  /**
   * The application's own client, of ioredis or node-redis. It is used as it is: it stays the application's to connect, to
   * listen to for errors, and to close.
   */
  readonly client: RedisClient;
  /**
   * How many processes share the limit (1 to 1_000_000). While Redis does not answer, each keeps to its share of it.
   * @defaultValue 1: each keeps to the whole limit by itself
   */
  readonly fleetSize?: number;
  /** How long Redis is waited for, in milliseconds (1 to 60_000). @defaultValue 100 */
  readonly timeoutMs?: number;
  /** What the keys begin with; host name and port follow. @defaultValue `'rds-iam:'` */
  readonly keyPrefix?: string;
}

/**
 * Shares `maxConnectionsPerSecond` of each database instance among all processes whose limiter leads to the same Redis or
 * Valkey, and has the same `keyPrefix`.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` that names the option, when one is wrong or unknown
 */
export function redisLimiter(options: RedisLimiterOptions): ConnectionLimiter {
  const { client, fleetSize, timeoutMs, keyPrefix } = checkOptions(options);
  const script = scriptClient(client);
  // A client that was made just now is given the time to connect; later, one that is not connected fails at once.
  const hasConnected = connected(client, script);
  /** Since when reservations have waited for Redis, the oldest first. */
  const waiting = new Set<{ readonly sinceMs: number }>();
  const isLate = ({ sinceMs }: { readonly sinceMs: number }) => performance.now() - sinceMs > timeoutMs;

  return {
    timeoutMs,
    shareWhenUnavailable: 1 / fleetSize,
    async reserve({ hostname, port, connectionsPerSecond, count }) {
      const [oldest] = waiting;
      // Each that a hung Redis finds when it goes on reserves for nobody: there must not be more than one.
      if (oldest && isLate(oldest)) throw notAnswered(script);
      const reservation = { sinceMs: performance.now() };
      waiting.add(reservation);
      try {
        await hasConnected;
        if (isLate(reservation) || !script.isReady()) throw notAnswered(script);
        const answer = await script.run(
          RESERVE_SCRIPT,
          `${keyPrefix}${hostname}:${port}`,
          String(count),
          String(connectionsPerSecond),
        );
        // A client may be set to give numbers as strings.
        const waitMs = Number(answer);
        if (!Number.isFinite(waitMs)) throw new Error('Redis answered with something that is not a number');
        return waitMs;
      } finally {
        waiting.delete(reservation);
      }
    },
  };
}

function notAnswered({ isReady }: ScriptClient): Error {
  return new Error(isReady() ? 'Redis has not answered an earlier reservation yet' : 'Redis connection is not ready');
}

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
