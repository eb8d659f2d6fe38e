import { setTimeout as pause } from 'node:timers/promises';
import { Ledger, type SubjectPool } from '@rds-iam/conformance';
import { isRdsIamError } from '@rds-iam/core';

/** Requests a number of connections at once. @returns the errors of those that failed */
export async function storm(pool: SubjectPool, connections: number): Promise<readonly unknown[]> {
  const wanted = await Promise.allSettled(Array.from({ length: connections }, () => pool.checkout()));
  for (const each of wanted) if (each.status === 'fulfilled') each.value.release();
  return wanted.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
}

/** Workers that move money in transactions, and repeat those that were interrupted, until they are told to stop. */
export class Load {
  readonly ledger: Ledger;
  /** Errors that no worker should see: a login that failed. */
  readonly failedLogins: unknown[] = [];
  /** How many transactions were interrupted and repeated. */
  broken = 0;
  readonly #workers: Promise<unknown>;
  #stopped = false;

  private constructor(ledger: Ledger, workers: number) {
    this.ledger = ledger;
    this.#workers = Promise.all(Array.from({ length: workers }, (_, worker) => this.#work(worker)));
  }

  static async start(pool: SubjectPool, workers: number): Promise<Load> {
    const ledger = new Ledger(pool);
    await ledger.create();
    return new Load(ledger, workers);
  }

  async #work(worker: number): Promise<void> {
    for (let number = 0, again = false; this.failedLogins.length === 0 && (again || !this.#stopped); ) {
      try {
        await this.ledger.transfer(worker, number, again);
        number++;
        again = false;
      } catch (error) {
        if (isRdsIamError(error)) this.failedLogins.push(error);
        this.broken++;
        again = true;
      }
    }
  }

  /** Waits until this many more transactions were committed. */
  async progress(transactions: number): Promise<void> {
    const goal = this.ledger.committed + transactions;
    while (this.ledger.committed < goal && this.failedLogins.length === 0) await pause(2);
  }

  /** Ends the work. @returns how many transactions were lost or done twice, by comparing the database with what it should be */
  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#workers;
    const [found, expected] = [await this.ledger.found(), this.ledger.expected()];
    const balances = found.balances.filter((balance, account) => balance !== expected.balances[account]).length;
    const works = new Map<string, number>();
    for (const work of found.works) works.set(work, (works.get(work) ?? 0) + 1);
    for (const work of expected.works) works.set(work, (works.get(work) ?? 0) - 1);
    return [...works.values()].reduce((sum, count) => sum + Math.abs(count), 0) + balances;
  }
}
