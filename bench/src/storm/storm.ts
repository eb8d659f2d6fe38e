/** A contender's task, as it is sent to its process. */
export interface Storm {
  readonly contender: string;
  readonly engine: 'postgres' | 'mysql';
  readonly host: string;
  readonly port: number;
  readonly ca: string;
  readonly user: string;
  readonly database: string;
  /** How many connections it wants, all at once. */
  readonly wanted: number;
  /** The server's limit. Only contenders that may know it use this. */
  readonly connectionsPerSecond: number;
  /** How many such processes there are. */
  readonly processes: number;
  /** How long a login may take, in milliseconds. Only patient contenders use this. */
  readonly deadlineMs: number;
  /** The URL of the Redis that they share. */
  readonly redisUrl: string;
}

/** Opens one connection from the contender's pool, and keeps it. */
export type Open = () => Promise<unknown>;

/** Makes a contender's pool, which is large enough for all connections. */
export type Contender = (storm: Storm) => Open;

/** The outcome, as the contender's users saw it. */
export interface Outcome {
  readonly opened: number;
  /** The error messages, and how often each occurred. */
  readonly failures: Readonly<Record<string, number>>;
  /** The time until the last of them was settled. */
  readonly durationMs: number;
}
