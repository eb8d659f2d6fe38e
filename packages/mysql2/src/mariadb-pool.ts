import type * as mariadb from 'mariadb';

/** Those of the mariadb connector's pool options that count here; durations in its own units. */
export interface PoolLimits {
  readonly connectionLimit?: number | undefined;
  /** In milliseconds. */
  readonly acquireTimeout?: number | undefined;
  /** In seconds. */
  readonly idleTimeout?: number | undefined;
  /** In milliseconds. */
  readonly minDelayValidation?: number | undefined;
}

interface Pooled {
  readonly connection: mariadb.PoolConnection;
  /** The connection's own, which in a pool gives it back. */
  readonly end: () => Promise<void>;
  readonly destroy: () => void;
  usedAt: number;
}

interface Waiter {
  /** With a connection, or without one for leave to open another. */
  readonly serve: (pooled: Pooled | undefined) => void;
  readonly fail: (error: Error) => void;
}

/**
 * A pool of mariadb connections, in place of the connector's own: that one tries again by itself, lets those who wait run
 * into its own timeout, and has the reason for it in the third `cause`. Here a connection that cannot be opened is the
 * error of whoever asked for it, at once and as it is. No timer runs while nobody waits.
 */
export class MariadbPool {
  readonly #open: () => Promise<mariadb.Connection>;
  readonly #onEnd: () => void;
  readonly #limits: { readonly [Name in keyof PoolLimits]-?: number };
  readonly #idle: Pooled[] = [];
  readonly #waiters: Waiter[] = [];
  readonly #openings = new Set<Promise<unknown>>();
  /** Connections open or being opened. */
  #size = 0;
  #active = 0;
  #closed = false;

  constructor(open: () => Promise<mariadb.Connection>, onEnd: () => void, limits: PoolLimits) {
    this.#open = open;
    this.#onEnd = onEnd;
    this.#limits = {
      connectionLimit: Number(limits.connectionLimit ?? 10),
      acquireTimeout: Number(limits.acquireTimeout ?? 10_000),
      idleTimeout: Number(limits.idleTimeout ?? 1_800),
      minDelayValidation: Number(limits.minDelayValidation ?? 500),
    };
  }

  get closed(): boolean {
    return this.#closed;
  }

  activeConnections(): number {
    return this.#active;
  }

  idleConnections(): number {
    return this.#idle.length;
  }

  totalConnections(): number {
    return this.#active + this.#idle.length;
  }

  taskQueueSize(): number {
    return this.#waiters.length;
  }

  async getConnection(): Promise<mariadb.PoolConnection> {
    if (this.#closed) throw poolError('pool is closed', 'ER_POOL_ALREADY_CLOSED');
    for (;;) {
      const pooled = this.#idle.pop() ?? (this.#hasRoom() ? undefined : await this.#wait());
      if (!pooled) return this.#checkOut(await this.#openOne());
      if (await this.#isAlive(pooled)) return this.#checkOut(pooled);
      this.#drop(pooled);
    }
  }

  // Declared as the connector does, whose callers say what rows they expect.
  async query<T = unknown>(sql: string | mariadb.QueryOptions, values?: unknown): Promise<T> {
    return this.#run((connection) => connection.query<T>(sql, values));
  }

  async execute<T = unknown>(sql: string | mariadb.QueryOptions, values?: unknown): Promise<T> {
    return this.#run((connection) => connection.execute<T>(sql, values));
  }

  async batch<T = mariadb.UpsertResult | mariadb.UpsertResult[]>(
    sql: string | mariadb.QueryOptions,
    values?: unknown,
  ): Promise<T> {
    return this.#run((connection) => connection.batch<T>(sql, values));
  }

  /** Ends the connections that are idle or being opened; one that is in use ends when it is released. */
  async end(): Promise<void> {
    if (this.#closed) throw poolError('pool is already closed', 'ER_POOL_ALREADY_CLOSED');
    this.#closed = true;
    this.#onEnd();
    for (const { fail } of this.#waiters.splice(0)) fail(poolError('pool is ending', 'ER_CLOSING_POOL'));
    await Promise.all(this.#idle.splice(0).map(({ end }) => end().catch(ignore)));
    await Promise.allSettled(this.#openings);
  }

  async #run<T>(work: (connection: mariadb.PoolConnection) => Promise<T>): Promise<T> {
    const connection = await this.getConnection();
    try {
      return await work(connection);
    } finally {
      await connection.release();
    }
  }

  /** Takes the place of a further connection, if there is one. */
  #hasRoom(): boolean {
    if (this.#size >= this.#limits.connectionLimit) return false;
    this.#size++;
    return true;
  }

  async #openOne(): Promise<Pooled> {
    const opening = this.#open();
    this.#openings.add(opening);
    try {
      const connection = (await opening) as mariadb.PoolConnection;
      const pooled = {
        connection,
        end: connection.end.bind(connection),
        destroy: connection.destroy.bind(connection),
        usedAt: Date.now(),
      };
      if (this.#closed) {
        await pooled.end().catch(ignore);
        throw poolError('pool is closed', 'ER_POOL_ALREADY_CLOSED');
      }
      connection.on('error', () => this.#lose(pooled));
      return pooled;
    } catch (error) {
      this.#leave();
      throw error;
    } finally {
      this.#openings.delete(opening);
    }
  }

  #checkOut(pooled: Pooled): mariadb.PoolConnection {
    this.#active++;
    let isOut = true;
    const take = () => {
      if (isOut) this.#active--;
      const wasOut = isOut;
      isOut = false;
      return wasOut;
    };
    const release = async () => {
      if (take()) await this.#putBack(pooled);
    };
    const destroy = () => {
      if (take()) this.#drop(pooled);
    };
    return Object.assign(pooled.connection, { release, end: release, destroy });
  }

  async #putBack(pooled: Pooled): Promise<void> {
    pooled.usedAt = Date.now();
    if (this.#closed) {
      this.#size--;
      await pooled.end().catch(ignore);
    } else if (pooled.connection.isValid()) {
      const waiter = this.#waiters.shift();
      if (waiter) waiter.serve(pooled);
      else this.#idle.push(pooled);
    } else {
      this.#drop(pooled);
    }
  }

  #wait(): Promise<Pooled | undefined> {
    return new Promise((resolve, reject) => {
      const { acquireTimeout } = this.#limits;
      const timer = setTimeout(() => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(
          poolError(
            `pool timeout: failed to retrieve a connection from pool after ${acquireTimeout}ms (pool connections: active=${this.#active} idle=${this.#idle.length} limit=${this.#limits.connectionLimit})`,
            'ER_GET_CONNECTION_TIMEOUT',
          ),
        );
      }, acquireTimeout);
      const waiter: Waiter = {
        serve: (pooled) => {
          clearTimeout(timer);
          resolve(pooled);
        },
        fail: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.#waiters.push(waiter);
    });
  }

  async #isAlive({ connection, usedAt }: Pooled): Promise<boolean> {
    const idleMs = Date.now() - usedAt;
    const { idleTimeout, minDelayValidation } = this.#limits;
    if (!connection.isValid() || (idleTimeout > 0 && idleMs > idleTimeout * 1_000)) return false;
    if (idleMs < minDelayValidation) return true;
    return connection.ping().then(
      () => true,
      () => false,
    );
  }

  /** A connection that broke while nobody used it; one in use is noticed when it is put back. */
  #lose(pooled: Pooled): void {
    const at = this.#idle.indexOf(pooled);
    if (at < 0) return;
    this.#idle.splice(at, 1);
    this.#leave();
  }

  #drop(pooled: Pooled): void {
    pooled.destroy();
    this.#leave();
  }

  /** Gives up the place of a connection, to whoever has waited longest. */
  #leave(): void {
    const waiter = this.#waiters.shift();
    if (waiter) waiter.serve(undefined);
    else this.#size--;
  }
}

/** With the code by which the connector's own pool says the same. */
function poolError(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

function ignore(): void {}
