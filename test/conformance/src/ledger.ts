import type { Row, SubjectPool } from './contract.js';

type Query = (sql: string) => Promise<readonly Row[]>;

interface Transfer {
  readonly work: string;
  readonly from: number;
  readonly to: number;
  readonly amount: number;
}

const ACCOUNTS = 20;

/** Accounts that money is moved between, and a ledger with a row for each transfer: no constraint hides a row too many. */
export class Ledger {
  readonly #pool: SubjectPool;
  readonly #done: Transfer[] = [];

  constructor(pool: SubjectPool) {
    this.#pool = pool;
  }

  /** How many transfers were committed, as far as their workers know. */
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
   * Makes a worker's transfer of a number in one transaction. `again`: after an attempt of which nobody knows whether it
   * was committed.
   */
  async transfer(worker: number, number: number, again: boolean): Promise<void> {
    const from = (worker * 7 + number) % ACCOUNTS;
    const to = (from + 1 + (number % (ACCOUNTS - 1))) % ACCOUNTS;
    const work = `${worker}:${number}`;
    const amount = 1 + (number % 9);
    await this.#pool.transaction(async (query) => {
      // In the order of their ids, so that no two transfers wait for each other. The attempt before had these locks if it
      // came to its commit: having them says that it is over, and the ledger says how.
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

  /** What the database has, to be compared with what it should. */
  async found(): Promise<{ readonly works: readonly string[]; readonly balances: readonly number[] }> {
    const works = await this.#pool.query('select work from ledger');
    const balances = await this.#pool.query('select balance from accounts order by id');
    return {
      works: works.map(({ work }) => String(work)).sort(),
      balances: balances.map(({ balance }) => Number(balance)),
    };
  }

  /** What the database should have, by what the workers were told. */
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
