import { type CertificateAuthority, createCertificateAuthority } from '@rds-iam/emulator';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { Subject, SubjectOptions } from './contract.js';
import { hostileServers, PART_OF_TOKEN, startWithTls, TOKEN } from './hostile-servers.js';
import { CREDENTIALS, REGION } from './stack.js';

/** A token never goes out on a socket that is not encrypted to a verified peer: servers that are after one get nothing. */
export function describeTokenSafety(subject: Subject): void {
  const withTls = startWithTls[subject.engine];

  describe(`${subject.name} sends no token`, () => {
    let authority: CertificateAuthority;
    beforeAll(async () => {
      authority = await createCertificateAuthority();
    });
    const iam = {
      region: REGION,
      credentials: CREDENTIALS,
      retry: { timeoutMs: 5_000, baseDelayMs: 1, maxDelayMs: 1, patienceMs: 0 },
    };
    const ways: Readonly<Record<string, Partial<SubjectOptions>>> = {
      fields: {},
      'an address': { hostname: '127.0.0.1' },
      'a URL': { asUrl: true },
      'TLS options of its own': { tls: { rejectUnauthorized: true } },
    };
    /** At a closed port, which stands for an endpoint that can only be reached through a tunnel. */
    const tunneled = (port: number): Partial<SubjectOptions> => ({
      port: 1,
      iam: { ...iam, ca: authority.ca, dial: `127.0.0.1:${port}` },
    });
    const failure = async (port: number, way: Partial<SubjectOptions>) => {
      const options: SubjectOptions = {
        hostname: 'localhost',
        port,
        username: 'app',
        database: 'shop',
        iam: { ...iam, ca: authority.ca },
        ...way,
      };
      const pool = subject.createPool(options);
      const error = await pool.query('select 1').then(
        () => expect.unreachable('the login succeeded'),
        (thrown: unknown) => thrown,
      );
      await pool.end();
      return subject.diagnosisOf ? subject.diagnosisOf(error) : error;
    };

    describe.each(Object.entries(hostileServers(subject.engine)))('to a server that %s', (_, { start }) => {
      test.each<[string, Record<string, string>]>([
        ['with nothing special in the environment', {}],
        ['with NODE_TLS_REJECT_UNAUTHORIZED=0', { NODE_TLS_REJECT_UNAUTHORIZED: '0' }],
        ['with PGSSLMODE=no-verify', { PGSSLMODE: 'no-verify' }],
        ['with PGSSLMODE=disable', { PGSSLMODE: 'disable' }],
      ])('%s', async (_, environment) => {
        await using server = await start(authority);
        for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
        try {
          for (const [way, options] of Object.entries({ ...ways, dial: tunneled(server.port) })) {
            expect(await failure(server.port, options), way).toMatchObject({ name: 'RdsIamError' });
          }
        } finally {
          vi.unstubAllEnvs();
        }
        expect(server.received()).not.toMatch(PART_OF_TOKEN);
      });
    });

    // Without this, the tests above would pass for a client that never sends anything.
    test('but it does to one that it can verify, where the recording server sees it', async () => {
      await using server = await withTls(await authority.issue({ hostnames: ['localhost'] }));
      await failure(server.port, {
        iam: { region: REGION, credentials: CREDENTIALS, ca: authority.ca, retry: { timeoutMs: 300 } },
      });
      expect(server.received()).toMatch(TOKEN);
    });
  });
}
