import { type Engine, type Stack, startStack } from '@rds-iam/conformance';
import { isRdsIamError } from '@rds-iam/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

/** Where and as whom a recipe logs in. */
interface Where {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly iam: Stack['iam'];
}

/** A framework on a driver's pool of two connections, and what an application does with it. */
export interface Application {
  /** Makes the table `books`, of a key `id` that counts and a text `title`. */
  createTable(): Promise<void>;
  add(title: string): Promise<void>;
  titles(): Promise<string[]>;
  /** Adds a book in a transaction, and does something before it commits. */
  addInTransaction(title: string, meanwhile: () => Promise<void>): Promise<void>;
  end(): Promise<void>;
}

export interface Recipe {
  readonly name: string;
  readonly engine: Engine;
  connect(where: Where): Application;
  /** Our error, from where the framework puts it when a connection for a query, or for a transaction, cannot be had. */
  diagnosisOf(error: unknown, during: 'query' | 'transaction'): unknown;
}

/** That an application works by a recipe as it did with a password. */
export function describeRecipe({ name, engine, connect, diagnosisOf }: Recipe): void {
  describe(name, () => {
    let stack: Stack;
    let where: Where;
    let application: Application;
    beforeAll(async () => {
      stack = await startStack(engine);
      const { emulator, username: user, database, iam } = stack;
      where = { host: 'localhost', port: emulator.port, user, database, iam };
      const first = connect(where);
      await first.createTable();
      await first.end();
    });
    beforeEach(() => {
      application = connect(where);
    });
    afterEach(async () => {
      vi.useRealTimers();
      stack.emulator.setFaults({});
      await application.end();
      await vi.waitFor(() => expect(stack.emulator.stats.open, 'no connection outlives its test').toBe(0), 10_000);
    });
    afterAll(() => stack[Symbol.asyncDispose]());

    test('writes, reads, commits and rolls back', async () => {
      await application.add('first');
      await application.addInTransaction('second', async () => {});
      const outcome = application.addInTransaction('third', () => Promise.reject(new Error('changed my mind')));
      await expect(outcome).rejects.toThrow('changed my mind');
      expect(await application.titles()).toEqual(['first', 'second']);
    });

    test('goes on when its token has expired: with what is open, and with new connections', async () => {
      vi.useFakeTimers({ toFake: ['Date'] });
      // No token of this second is known from before.
      vi.setSystemTime(Date.now() + 60_000);
      const before = stack.emulator.stats;
      await application.addInTransaction('slow', async () => {
        vi.setSystemTime(Date.now() + 16 * 60_000);
        await application.add('quick');
      });
      expect(await application.titles()).toEqual(expect.arrayContaining(['slow', 'quick']));
      const { accepted, distinctTokens } = stack.emulator.stats;
      expect(accepted - before.accepted, 'logins').toBe(2);
      expect(distinctTokens - before.distinctTokens, 'tokens').toBe(2);
    });

    test('shows our error where a login is refused', async () => {
      stack.emulator.setFaults({ clockOffsetMs: 60 * 60_000 });
      const failures = [
        await application.titles().catch((error) => diagnosisOf(error, 'query')),
        await application.addInTransaction('never', async () => {}).catch((error) => diagnosisOf(error, 'transaction')),
      ];
      for (const failure of failures) {
        expect(failure).toMatchObject({ code: 'ERR_RDS_IAM_REFUSED', username: where.user, cause: expect.anything() });
        expect(isRdsIamError(failure)).toBe(true);
      }
    });
  });
}
