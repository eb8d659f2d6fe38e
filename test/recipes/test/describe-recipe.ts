import { type Engine, type Stack, startStack } from '@rds-iam/conformance';
import { isRdsIamError } from '@rds-iam/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

/** The endpoint and user that a recipe logs in with. */
interface Where {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly iam: Stack['iam'];
}

/** A framework on a driver's pool of two connections, and an application's operations on it. */
export interface Application {
  /** Makes the table `books`, with an auto-incrementing key `id` and a text `title`. */
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
  /** Finds our error in the framework's, when a query or a transaction cannot get a connection. */
  diagnosisOf(error: unknown, during: 'query' | 'transaction'): unknown;
}

/** Tests that an application works with a recipe just as with a password. */
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

    test('goes on when its token has expired, with open and with new connections', async () => {
      vi.useFakeTimers({ toFake: ['Date'] });
      // So that the token of this second is a new one.
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

    test('shows our error when a login is refused', async () => {
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
