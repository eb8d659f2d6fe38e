/**
 * Shares one budget of new connections per second among processes on many machines. `redisLimiter` of `@rds-iam/redis` is
 * one; another store can be used by implementing this.
 */
export interface ConnectionLimiter {
  /**
   * Reserves the next `count` connections to a database instance, evenly spaced at `connectionsPerSecond`, after those that
   * any process has reserved.
   *
   * @returns how long until the first of them may be opened, in milliseconds
   */
  reserve(request: {
    readonly hostname: string;
    readonly port: number;
    readonly connectionsPerSecond: number;
    readonly count: number;
  }): Promise<number>;
  /**
   * How long a reservation is waited for, in milliseconds. When it takes longer or fails, connections go on at
   * `shareWhenUnavailable` of the limit, and the limiter is asked again a second later.
   */
  readonly timeoutMs: number;
  /** The share of the limit that this process keeps to while the limiter does not answer, above 0 to 1. */
  readonly shareWhenUnavailable: number;
}
