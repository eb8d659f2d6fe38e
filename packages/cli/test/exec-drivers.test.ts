// exec's default URL, without any flag, used by drivers.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Engine, hostileServers, PART_OF_TOKEN } from '@rds-iam/conformance';
import { createCertificateAuthority } from '@rds-iam/emulator';
import { describe, expect, test } from 'vitest';
import { rdsIam } from './command-line.js';
import { execStack } from './exec-stack.js';

const project = fileURLToPath(new URL('projects/drivers', import.meta.url));

const DRIVERS: Readonly<Record<Engine, readonly string[]>> = {
  postgres: ['pg', 'postgres.js', '@prisma/adapter-pg'],
  mysql: ['mysql2', '@prisma/adapter-mariadb'],
};
const WHO: Readonly<Record<Engine, string>> = {
  postgres: 'select current_user::text as who',
  mysql: 'select current_user() as who',
};
/** mariadb, in Prisma's adapter, sends the token to any server that claims to be a MariaDB. */
const SENDS_TO_ANYBODY = '@prisma/adapter-mariadb';

describe.each<Engine>(['postgres', 'mysql'])('drivers, with exec on %s,', (engine) => {
  const { stack, ca, scratch, variables, url } = execStack(engine);

  /** The result of each driver with the URL, at each of these ports. */
  const outcomes = async (names: readonly string[], ports: readonly number[], timeoutMs: number, caFile = ca) => {
    const command = [process.execPath, 'drivers.mjs', JSON.stringify({ query: WHO[engine], names, ports, timeoutMs })];
    const { stdout } = await rdsIam(['exec', '--ca', caFile, url(), '--', ...command], variables, project);
    return JSON.parse(stdout);
  };

  test('log in', async () => {
    const who = engine === 'mysql' ? `${stack().username}@%` : stack().username;
    const names = DRIVERS[engine].filter((name) => name !== SENDS_TO_ANYBODY);
    const [seen] = await outcomes(names, [stack().emulator.port], 20_000);
    expect(seen).toEqual(Object.fromEntries(names.map((name) => [name, who])));
  });

  test('send no token without encryption, or to a server with an untrusted certificate', async () => {
    const authority = await createCertificateAuthority();
    const trusted = join(scratch, 'hostile-ca.pem');
    writeFileSync(trusted, authority.ca);
    const hostile = Object.entries(hostileServers(engine));
    const servers = await Promise.all(hostile.map(([, { start }]) => start(authority)));
    try {
      const seen = await outcomes(
        DRIVERS[engine],
        servers.map(({ port }) => port),
        // Some servers never answer.
        2_000,
        trusted,
      );
      for (const [at, [manner]] of hostile.entries()) {
        for (const name of DRIVERS[engine]) expect(seen[at][name], `${name}: ${manner}`).toHaveProperty('error');
        expect(servers[at]?.received(), manner).not.toMatch(PART_OF_TOKEN);
      }
    } finally {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    }
  });
});
