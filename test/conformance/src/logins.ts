import { randomBytes } from 'node:crypto';
import { type AwsCredentialIdentityProvider, createRdsIam, type RdsIamOptions } from '@rds-iam/core';
import { createCertificateAuthority } from '@rds-iam/emulator';
import { expectNoSecrets } from '@rds-iam/test-servers';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Subject, SubjectOptions, SubjectSession } from './contract.js';
import { count } from './events.js';
import { watchTlsSockets } from './tls-sockets.js';

/** A database with IAM logins: RDS or the emulator. */
export interface Place extends AsyncDisposable {
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly database: string;
  /** A user's configuration for it. */
  readonly iam: RdsIamOptions & { readonly enabled?: true };
  /** Returns credentials whose tokens are accepted there. */
  readonly credentials: AwsCredentialIdentityProvider;
  /** How many sessions the user has on the database, except this function's own. */
  sessions(): Promise<number>;
  /** Fails unless a session is also encrypted according to the other end. */
  expectEncrypted(session: SubjectSession): Promise<void>;
  /** Lets time pass. */
  pass(durationMs: number): Promise<void>;
  /** Whether tests may let a token's lifetime pass: not if that takes real time, unless asked for. */
  readonly maySpendLifetimes: boolean;
}

const MINUTE = 60_000;
/** After a refusal, the source of credentials is not asked again before this. */
const CREDENTIALS_SPARED_MS = 11_000;
const ONE = 'select 1 as one';
// As text, because Prisma 6 does not support PostgreSQL's type for names.
const CURRENT_USER = 'select cast(current_user as char(64)) as name';
/** A remote server takes some time to notice that a session has ended. */
const SOON = { timeout: 10_000 };

/** The part of the contract that works on any database with IAM logins: it is also tested on RDS itself. */
export function describeLogins(subject: Subject, open: () => Promise<Place>): void {
  describe(`${subject.name} logs in:`, () => {
    let place: Place;
    const pools: { end(): Promise<void> }[] = [];
    beforeAll(async () => {
      place = await open();
    });
    afterEach(async () => {
      await Promise.all(pools.splice(0).map((pool) => pool.end()));
      vi.useRealTimers();
      await vi.waitFor(async () => expect(await place.sessions(), 'no session outlives its test').toBe(0), SOON);
    });
    afterAll(() => place?.[Symbol.asyncDispose]());

    const newPool = (options: Partial<SubjectOptions> = {}) => {
      const { hostname, port, username, database, iam } = place;
      const pool = subject.createPool({ hostname, port, username, database, iam, ...options });
      pools.push(pool);
      return pool;
    };
    const failureOf = async (options: Partial<SubjectOptions>): Promise<unknown> => {
      try {
        await newPool(options).query(ONE);
      } catch (error) {
        return subject.diagnosisOf ? subject.diagnosisOf(error) : error;
      }
      return expect.unreachable('the login succeeded');
    };
    /** Credentials with a known access key but a wrong secret. */
    const wrongCredentials = async () => ({ ...(await place.credentials()), secretAccessKey: 'not the secret' });

    test('it logs in without a password, as the user', async () => {
      const pool = newPool();
      expect(String((await pool.query(CURRENT_USER))[0]?.['name'])).toContain(place.username);
    });

    test('TLS is on and verified, according to both ends', async () => {
      const sockets = watchTlsSockets(place.port);
      const session = await newPool({ max: 1 }).checkout();
      try {
        expect(sockets().at(-1)).toMatchObject({ encrypted: true, authorized: true });
        expect(sockets().at(-1)?.getProtocol()).toMatch(/^TLSv1\.[23]$/);
        await place.expectEncrypted(session);
      } finally {
        session.release();
      }
    });

    test('a server with a CA other than the given one is refused at the first try', async () => {
      const { ca } = await createCertificateAuthority();
      expect(await failureOf({ iam: { ...place.iam, ca } })).toMatchObject({ code: 'ERR_RDS_IAM_TLS', attempts: 1 });
    });

    test('each physical connection needs a token once, and a checkout never', async () => {
      const opened = count('rds-iam:connection:admitted');
      const signed = count('rds-iam:token:signed');
      const pool = newPool({ max: 3 });
      for (let round = 0; round < 5; round++) {
        const sessions = await Promise.all([1, 2, 3].map(() => pool.checkout()));
        for (const session of sessions) session.release();
      }
      expect(opened()).toBe(3 + (subject.ownConnections ?? 0));
      expect(signed()).toBe(1);
    });

    test('ten first connections at the same time sign once and request credentials once', async () => {
      let asked = 0;
      const credentials = async () => {
        asked++;
        return place.credentials();
      };
      const signed = count('rds-iam:token:signed');
      const pool = newPool({ max: 10, iam: { ...place.iam, credentials } });
      const sessions = await Promise.all(Array.from({ length: 10 }, () => pool.checkout()));
      for (const session of sessions) session.release();
      expect({ asked, signed: signed() }).toEqual({ asked: 1, signed: 1 });
    });

    test(
      'a pool grows after its first token has expired, and an open session lives on',
      async ({ skip }) => {
        if (!place.maySpendLifetimes) return skip('a lifetime takes 16 minutes here');
        const pool = newPool({ max: 2 });
        const first = await pool.checkout();
        await place.pass(16 * MINUTE);
        const second = await pool.checkout();
        expect(Number((await second.query(ONE))[0]?.['one'])).toBe(1);
        expect(Number((await first.query(ONE))[0]?.['one'])).toBe(1);
        first.release();
        second.release();
      },
      20 * MINUTE,
    );

    test('it can share an RdsIam, and therefore the token, with other pools', async () => {
      const signed = count('rds-iam:token:signed');
      const iam = createRdsIam(place.iam);
      await newPool({ iam }).query(ONE);
      await newPool({ iam }).query(ONE);
      expect(signed()).toBe(1);
    });

    test('it accepts a connection URL', async () => {
      expect(await newPool({ asUrl: true }).query(ONE)).toHaveLength(1);
    });

    test('a transaction is committed when its work resolves, and rolled back when it rejects', async () => {
      const table = `kept_${randomBytes(4).toString('hex')}`;
      const pool = newPool();
      await pool.query(`create table ${table} (name varchar(10))`);
      try {
        const result = await pool.transaction(async (query) => {
          await query(`insert into ${table} values ('first')`);
          return (await query(`select name from ${table}`)).length;
        });
        const undone = pool.transaction(async (query) => {
          await query(`insert into ${table} values ('second')`);
          throw new Error('changed its mind');
        });
        await expect(undone).rejects.toThrow('changed its mind');
        const rows = await pool.query(`select name from ${table}`);
        expect({ result, names: rows.map(({ name }) => name) }).toEqual({ result: 1, names: ['first'] });
      } finally {
        await pool.query(`drop table ${table}`);
      }
    });

    test('refused logins leave no session, keep no slot in the pool, and stop with good credentials', async () => {
      let asked = 0;
      let revoked = true;
      const credentials = async () => {
        asked++;
        return revoked ? wrongCredentials() : place.credentials();
      };
      const retry = { ...place.iam.retry, patienceMs: 1_500 };
      const pool = newPool({ max: 1, iam: { ...place.iam, credentials, retry } });
      await expect(pool.query(ONE)).rejects.toThrow();
      expect(await place.sessions()).toBe(0);
      revoked = false;
      await place.pass(CREDENTIALS_SPARED_MS);
      expect(await pool.query(ONE)).toHaveLength(1);
      expect(asked).toBe(2);
    });

    test("the error of a refusal names the endpoint and the user, and has the driver's error and no secret", async () => {
      const wrong = await wrongCredentials();
      const error = await failureOf({ iam: { ...place.iam, credentials: wrong } });
      expect(error).toMatchObject({
        name: 'RdsIamError',
        code: 'ERR_RDS_IAM_REFUSED',
        hostname: place.hostname,
        port: place.port,
        username: place.username,
        attempts: expect.any(Number),
        cause: { code: expect.any(String), message: expect.any(String) },
      });
      expectNoSecrets(error, [wrong.secretAccessKey, ...(wrong.sessionToken ? [wrong.sessionToken] : [])]);
    });
  });
}
