import { setTimeout as sleep } from 'node:timers/promises';
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';
import type { Engine, Place, SubjectSession } from '@rds-iam/conformance';
import { expect, vi } from 'vitest';
import { LIFETIME_VARIABLE, type NamedDatabase } from './environment.js';
import { logInPlainly, type Reference } from './reference.js';

/** How far this machine's clock may be ahead of AWS's, which tolerates five minutes. */
const MOST_AHEAD_MS = 60_000;

const OWN_SESSIONS: Readonly<Record<Engine, string>> = {
  postgres: 'select count(*) as n from pg_stat_activity where usename = current_user and pid <> pg_backend_pid()',
  mysql:
    "select count(*) as n from information_schema.processlist where user = substring_index(current_user(), '@', 1) and id <> connection_id()",
};

const EXPECT_ENCRYPTED: Readonly<Record<Engine, (session: SubjectSession, reference: Reference) => Promise<void>>> = {
  async postgres(session) {
    const rows = await session.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    expect(rows).toEqual([{ ssl: true }]);
  },
  // How to inspect a single session differs between MySQL and MariaDB, and may be turned off. With this, the server refuses others.
  async mysql(_, reference) {
    const [row = {}] = await reference.query('show create user current_user()');
    expect(Object.values(row)[0]).toContain('REQUIRE SSL');
  },
};

/** The database that the environment names, as a place to log in to with the default credential chain. */
export async function openPlace(engine: Engine, named: NamedDatabase): Promise<Place> {
  // A wrong setup fails here, with the errors of AWS and the driver.
  const reference = await logInPlainly(engine, named);
  const { hostname, port, username, database, ca } = named;
  const maySpendLifetimes = Boolean(process.env[LIFETIME_VARIABLE]);
  return {
    ...{ hostname, port, username, database, maySpendLifetimes },
    // The contract makes logins fail on purpose, which should be given up soon.
    iam: { retry: { patienceMs: 1_000 }, ...(ca !== undefined && { ca }) },
    credentials: fromNodeProviderChain(),
    sessions: async () => Number((await reference.query(OWN_SESSIONS[engine]))[0]?.['n']),
    expectEncrypted: (session) => EXPECT_ENCRYPTED[engine](session, reference),
    async pass(durationMs) {
      if (durationMs > MOST_AHEAD_MS) return sleep(durationMs);
      vi.useFakeTimers({ toFake: ['Date'] });
      vi.setSystemTime(Date.now() + durationMs);
    },
    [Symbol.asyncDispose]: () => reference.end(),
  };
}
