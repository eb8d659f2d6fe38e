/**
 * Shares one budget of new connections per second among processes on many machines. `redisLimiter` of `@rds-iam/redis`
 * implements it; do the same to use another store.
 */
export interface ConnectionLimiter {
  /**
   * Reserves the next `count` connections to a database instance, evenly spaced at `connectionsPerSecond`, after all that any
   * process has reserved before.
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
   * How long to wait for a reservation, in milliseconds. If it takes longer or fails, connections go on at
   * `shareWhenUnavailable` of the limit, and the limiter is asked again a second later.
   */
  readonly timeoutMs: number;
  /** The share of the limit that this process uses while the limiter does not answer (greater than 0, at most 1). */
  readonly shareWhenUnavailable: number;
}
