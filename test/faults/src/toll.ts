import { listen } from '@rds-iam/conformance';
import { expect, vi } from 'vitest';

interface Row {
  readonly fault: string;
  readonly driver: string;
  readonly lost: number;
  readonly recoveredMs: number;
  readonly attempts: number;
  readonly connections: number;
}

const rows: Row[] = [];

/** The cost of a fault, counted from the events that every package publishes, as a row of the table. */
export class Toll {
  readonly #fault: string;
  readonly #driver: string;
  #since = performance.now();
  #opened = 0;
  #failed = 0;
  #gaveUp = 0;

  /** Counts for the rest of the test. */
  static async begin(fault: string, driver: string): Promise<Toll> {
    await eventsSoFar();
    return new Toll(fault, driver);
  }

  private constructor(fault: string, driver: string) {
    this.#fault = fault;
    this.#driver = driver;
    listen('rds-iam:connection:opened', () => {
      this.#opened++;
    });
    listen('rds-iam:connection:attempt-failed', () => {
      this.#failed++;
    });
    listen('rds-iam:connection:gave-up', () => {
      this.#gaveUp++;
    });
  }

  /** All attempts to open a connection, successful or not. */
  get attempts(): number {
    return this.#opened + this.#failed;
  }

  get connections(): number {
    return this.#opened;
  }

  get failed(): number {
    return this.#failed;
  }

  /** All counts, for comparison. */
  get cost() {
    return { attempts: this.attempts, connections: this.#opened, gaveUp: this.#gaveUp };
  }

  /** Waits until the fault has made this many more attempts fail. */
  async takes(attempts: number): Promise<void> {
    const goal = this.#failed + attempts;
    await vi.waitFor(() => expect(this.#failed).toBeGreaterThanOrEqual(goal), { timeout: 20_000, interval: 5 });
  }

  /** Call when the fault is over: recovery is then measured from here and not from the beginning. */
  faultIsOver(): void {
    this.#since = performance.now();
  }

  /** Call when everything works again. */
  async recovered(lost: number): Promise<void> {
    const recoveredMs = Math.round(performance.now() - this.#since);
    await eventsSoFar();
    rows.push({
      fault: this.#fault,
      driver: this.#driver,
      lost,
      recoveredMs,
      attempts: this.attempts,
      connections: this.#opened,
    });
  }
}

/** A driver's user can get a connection before its event is published. */
function eventsSoFar(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Prints the cost of the faults in a test file; for its `afterAll`. */
export function printTolls(): void {
  const cells = rows.map(({ fault, driver, lost, recoveredMs, attempts, connections }) => [
    ...[fault, driver, String(lost), `${recoveredMs} ms`, `${attempts} for ${connections}`],
  ]);
  const table = [['fault', 'driver', 'lost', 'recovered after', 'attempts for connections'], ...cells];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  process.stdout.write(`\n${lines.join('\n')}\n`);
}
