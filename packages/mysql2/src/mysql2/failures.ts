import { isRdsIamError, type RdsIamError } from '@rds-iam/core';

/** More than the number of logins that can fail before their errors are looked up. */
const KEPT = 64;

/**
 * The latest failed logins. The promise API of mysql2 before 3.22.3 rejects with a copy of the error that has only its message
 * and code: this finds the original.
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

  /** Makes the promise API of a pool reject with the original error. */
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
