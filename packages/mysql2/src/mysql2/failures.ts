import { isRdsIamError, type RdsIamError } from '@rds-iam/core';

/** More logins than this do not fail between one turn of the event loop and the next without being asked for. */
const KEPT = 64;

/**
 * The latest logins that failed. The promise forms of mysql2 before 3.22.3 reject with a copy of the error that has its
 * message and code and nothing else: this finds the error itself again.
 */
export class Failures {
  readonly #latest: RdsIamError[] = [];

  add(error: unknown): void {
    if (!isRdsIamError(error)) return;
    if (this.#latest.push(error) > KEPT) this.#latest.shift();
  }

  originalOf(error: unknown): unknown {
    if (!(error instanceof Error) || isRdsIamError(error)) return error;
    return this.#latest.find(({ message }) => message === error.message) ?? error;
  }

  /** Makes the promise forms of a pool reject with the error itself. */
  replaceCopies<Queries extends PromisedQueries>(queries: Queries): Queries {
    for (const name of ['query', 'execute'] as const) {
      const run = queries[name].bind(queries) as (...args: unknown[]) => Promise<unknown>;
      const replacement = (...args: unknown[]) =>
        run(...args).catch((error: unknown) => {
          throw this.originalOf(error);
        });
      queries[name] = replacement as Queries[typeof name];
    }
    return queries;
  }
}

interface PromisedQueries {
  query: (...args: never[]) => Promise<unknown>;
  execute: (...args: never[]) => Promise<unknown>;
}
