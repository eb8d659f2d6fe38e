/** What a contender is to do, as its process is told it. */
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
  /** What the server admits. Only those contenders use it that are to know. */
  readonly connectionsPerSecond: number;
  /** How many processes such as this one there are. */
  readonly processes: number;
  /** How long a login may take, in milliseconds. Only those contenders use it that are to be patient. */
  readonly deadlineMs: number;
  /** Of the Redis that they share. */
  readonly redisUrl: string;
}

/** Opens one connection out of the contender's pool, and keeps it. */
export type Open = () => Promise<unknown>;

/** Makes a contender's pool, which may hold as many connections as are wanted. */
export type Contender = (storm: Storm) => Open;

/** What came of it, as the contender's users saw it. */
export interface Outcome {
  readonly opened: number;
  /** The messages of those that failed, and how often each came. */
  readonly failures: Readonly<Record<string, number>>;
  /** Until the last of them was settled. */
  readonly durationMs: number;
}
