import { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import type { RdsIamError } from '@rds-iam/core';
import * as mariadb from 'mariadb';
import type { IamStream } from '../wire/iam-stream.js';
import { type CheckedForIam, reasonOf, withIamStream, withoutChangeUser } from './stream.js';

/** One of the connector's pools, in use until it has no connection and cannot open one. */
interface Generation {
  readonly pool: mariadb.Pool & EventEmitter;
  /** The latest login that failed. */
  failure: RdsIamError | undefined;
  isOver: boolean;
}

/** The codes with which the connector's pool fails the callers who are waiting. */
const WAITED_IN_VAIN = ['ER_CLOSING_POOL', 'ER_GET_CONNECTION_TIMEOUT'];

/** The errors of a server that has become read-only, as the old writer does in a failover; the same ones that mysql2 checks. */
const READ_ONLY_ERRNOS = [1290, 1792, 1836];

/**
 * The connector's own pool, whose connections log in with IAM. All that it adds is how a login's failure is reported: the
 * connector lets waiting callers run into `acquireTimeout`, with the reason in the third `cause`. Here, if there is no
 * connection that could serve them, they hear the reason at once. The only way to empty the queue of the connector's pool from
 * outside is to end the pool, so it is ended, and the next caller starts a new one.
 */
export class IamPool extends EventEmitter implements AsyncDisposable {
  readonly #checked: CheckedForIam;
  readonly #ended = new AbortController();
  readonly #readOnly = new WeakMap<object, IamStream>();
  #latest: Generation;
  /** The login under way: the connector opens connections one after the other. */
  #login: Promise<void> | undefined;

  constructor(checked: CheckedForIam) {
    super();
    this.#checked = checked;
    // As with the connector's pool: an 'error' event that nobody listens for must not end the process.
    this.on('error', ignore);
    this.#latest = this.#begin();
  }

  get closed(): boolean {
    return this.#ended.signal.aborted;
  }

  activeConnections(): number {
    return this.#latest.pool.activeConnections();
  }

  idleConnections(): number {
    return this.#latest.pool.idleConnections();
  }

  totalConnections(): number {
    return this.#latest.pool.totalConnections();
  }

  taskQueueSize(): number {
    return this.#latest.pool.taskQueueSize();
  }

  escape(value: unknown): string {
    return this.#latest.pool.escape(value);
  }

  escapeId(identifier: string): string {
    return this.#latest.pool.escapeId(identifier);
  }

  getConnection(): Promise<mariadb.PoolConnection> {
    return this.#run(async (pool) => withoutChangeUser(await pool.getConnection()));
  }

  query(...args: Parameters<mariadb.Pool['query']>): Promise<unknown> {
    return this.#run((pool) => pool.query(...args));
  }

  execute(...args: Parameters<mariadb.Pool['execute']>): Promise<unknown> {
    return this.#run((pool) => pool.execute(...args));
  }

  batch(...args: Parameters<mariadb.Pool['batch']>): Promise<unknown> {
    return this.#run((pool) => pool.batch(...args));
  }

  importFile(...args: Parameters<mariadb.Pool['importFile']>): Promise<void> {
    return this.#run((pool) => pool.importFile(...args));
  }

  async end(): Promise<void> {
    this.#ended.abort();
    const { pool, isOver } = this.#latest;
    this.#latest.isOver = false;
    if (!isOver) await pool.end();
    // The connector keeps a timer for the connection that it is opening until it has heard that there will be none.
    await this.#login?.then(() => setImmediate());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }

  override toString(): string {
    return String(this.#latest.pool);
  }

  async #run<T>(work: (pool: mariadb.Pool) => Promise<T>): Promise<T> {
    if (this.#latest.isOver && !this.closed) this.#latest = this.#begin();
    const generation = this.#latest;
    const { failure } = generation;
    try {
      return await work(generation.pool);
    } catch (error) {
      if (!WAITED_IN_VAIN.includes((error as mariadb.SqlError).code ?? '')) throw error;
      throw generation.failure === failure ? reasonOf(error) : generation.failure;
    }
  }

  #begin(): Generation {
    const options = withIamStream(this.#checked, {
      ended: this.#ended.signal,
      opening: (connection, stream) => {
        this.#login = stream.settled;
        const { error: log } = connection.logger;
        connection.logger = {
          ...connection.logger,
          error: (error) => {
            if (READ_ONLY_ERRNOS.includes(error.errno)) this.#readOnly.set(connection, stream);
            log?.(error);
          },
        };
      },
      failed: (error) => this.#failed(generation, error),
    });
    const pool = mariadb.createPool(options) as Generation['pool'];
    const generation: Generation = { pool, failure: undefined, isOver: false };
    for (const event of ['acquire', 'connection', 'enqueue', 'release']) {
      pool.on(event, (...args: unknown[]) => this.emit(event, ...args));
    }
    pool.on('error', (error: unknown) => this.emit('error', reasonOf(error)));
    // At once: by a later turn somebody else would have been given the connection.
    pool.on('release', ({ opts }: { readonly opts: object }) => {
      this.#readOnly.get(opts)?.failAtOnce(new Error('the server has become read-only'));
    });
    return generation;
  }

  #failed(generation: Generation, error: RdsIamError): void {
    if (this.closed) return;
    generation.failure = error;
    const { pool } = generation;
    // A connection that is released can still serve the callers who are waiting.
    if (pool.totalConnections() > 0) return;
    generation.isOver = true;
    pool.end().catch(ignore);
    this.emit('error', error);
  }
}

function ignore(): void {}
