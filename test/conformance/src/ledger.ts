import type { Row, SubjectPool } from './contract.js';

type Query = (sql: string) => Promise<readonly Row[]>;

interface Transfer {
  readonly work: string;
  readonly from: number;
  readonly to: number;
  readonly amount: number;
}

const ACCOUNTS = 20;

/** Accounts to move money between, and a ledger with a row for each transfer, without a constraint that would hide extra rows. */
export class Ledger {
  readonly #pool: SubjectPool;
  readonly #done: Transfer[] = [];

  constructor(pool: SubjectPool) {
    this.#pool = pool;
  }

  /** How many transfers were committed, as far as the workers know. */
  get committed(): number {
    return this.#done.length;
  }

  async create(): Promise<void> {
    await this.#pool.query('create table accounts (id int primary key, balance int not null)');
    await this.#pool.query('create table ledger (work varchar(40) not null)');
    const rows = Array.from({ length: ACCOUNTS }, (_, id) => `(${id}, 0)`);
    await this.#pool.query(`insert into accounts values ${rows.join()}`);
  }

  /**
   * Makes a worker's transfer with a number in one transaction. `again`: after an attempt that may or may not have been
   * committed.
   */
  async transfer(worker: number, number: number, again: boolean): Promise<void> {
    const from = (worker * 7 + number) % ACCOUNTS;
    const to = (from + 1 + (number % (ACCOUNTS - 1))) % ACCOUNTS;
    const work = `${worker}:${number}`;
    const amount = 1 + (number % 9);
    await this.#pool.transaction(async (query) => {
      // In the order of their ids, so that no two transfers wait for each other. An earlier attempt had these locks if it reached its
      // commit: once we have them, it is over, and the ledger shows the outcome.
      for (const id of [from, to].sort((a, b) => a - b)) {
        await query(`select id from accounts where id = ${id} for update`);
      }
      if (again && (await isIn(query, work))) return;
      await query(`insert into ledger values ('${work}')`);
      await query(`update accounts set balance = balance - ${amount} where id = ${from}`);
      await query(`update accounts set balance = balance + ${amount} where id = ${to}`);
    });
    this.#done.push({ work, from, to, amount });
  }

  /** The contents of the database, to be compared with the expected ones. */
  async found(): Promise<{ readonly works: readonly string[]; readonly balances: readonly number[] }> {
    const works = await this.#pool.query('select work from ledger');
    const balances = await this.#pool.query('select balance from accounts order by id');
    return {
      works: works.map(({ work }) => String(work)).sort(),
      balances: balances.map(({ balance }) => Number(balance)),
    };
  }

  /** The expected contents of the database, according to the workers. */
  expected(): Awaited<ReturnType<Ledger['found']>> {
    const balances = Array.from({ length: ACCOUNTS }, () => 0);
    for (const { from, to, amount } of this.#done) {
      balances[from] = (balances[from] ?? 0) - amount;
      balances[to] = (balances[to] ?? 0) + amount;
    }
    return { works: this.#done.map(({ work }) => work).sort(), balances };
  }
}

async function isIn(query: Query, work: string): Promise<boolean> {
  return (await query(`select work from ledger where work = '${work}'`)).length > 0;
}
