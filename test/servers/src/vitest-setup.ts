import pg from 'pg';
import type { ProvidedServer } from './server.js';
import { share } from './vitest-share.js';

export default share('postgres', async (server) => {
  await expectTrust(server);
  return { hostname: server.hostname, port: server.port };
});

/** Our own servers trust everybody; one named by a URL may not. */
async function expectTrust({ hostname, port }: ProvidedServer): Promise<void> {
  const client = new pg.Client({ host: hostname, port, user: 'postgres', password: '', database: 'postgres' });
  try {
    await client.connect();
    await client.end();
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    throw new Error(
      `The tests log in to PostgreSQL at ${hostname}:${port} as postgres and as roles of their own, without passwords: ` +
        `have its pg_hba.conf trust this machine (${reason})`,
      { cause: error },
    );
  }
}
