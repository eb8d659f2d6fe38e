import { createCertificateAuthority } from '@rds-iam/emulator';
import { createRdsIam, Pool } from '@rds-iam/pg';
import { startPostgres } from '@rds-iam/test-servers';
import pg from 'pg';
import type { Figure } from './figure.js';
import { CREDENTIALS, REGION } from './login.js';
import { ratioOfRates } from './rounds.js';

const ROUNDS = 50;
const CONNECTIONS_PER_ROUND = 40;
const POOL_SIZE = 4;

/**
 * Physical connections per second through our Pool and through pg's, in alternating rounds against one PostgreSQL over
 * TLS. The role's password is our token, so that both send the same bytes and the server does the same work.
 */
export async function physicalConnections(): Promise<Figure[]> {
  const authority = await createCertificateAuthority();
  const { ca } = authority;
  await using server = await startPostgres({
    tls: await authority.issue({ hostnames: ['127.0.0.1'] }),
    hba: ['hostssl all all 127.0.0.1/32 password'],
    // The server's part of a login is the same for both: the smaller it is, the more the clients' part shows.
    settings: { scram_iterations: '1' },
  });
  const endpoint = { hostname: server.hostname, port: server.port, username: 'app' };
  const iam = createRdsIam({ region: REGION, credentials: CREDENTIALS, ca });
  const { token } = await iam.getToken(endpoint);
  const superuser = await server.connectAsSuperuser();
  await superuser.query(`CREATE ROLE app LOGIN PASSWORD ${pg.escapeLiteral(token)}`);
  await superuser.end();

  const config = { host: server.hostname, port: server.port, user: 'app', database: 'postgres', max: POOL_SIZE };
  const ours = new Pool({ ...config, iam });
  const plain = new pg.Pool({ ...config, password: token, ssl: { ca } });
  const ratio = await ratioOfRates(
    ROUNDS,
    () => connectionsPerSecond(ours),
    () => connectionsPerSecond(plain),
  );
  await Promise.all([ours.end(), plain.end()]);
  return [{ figure: "physical connections per second, our Pool to pg's", wanted: { atLeast: 0.97 }, ...ratio }];
}

/** Opens and closes connections: keeps the pool full, uses no connection twice, and waits for the last one to end. */
async function connectionsPerSecond(pool: pg.Pool): Promise<number> {
  let left = CONNECTIONS_PER_ROUND;
  let closed = 0;
  const startedAt = performance.now();
  const allClosed = new Promise<void>((resolve) => {
    pool.on('remove', () => {
      if (++closed === CONNECTIONS_PER_ROUND) resolve();
    });
  });
  const openAndClose = async () => {
    while (left-- > 0) (await pool.connect()).release(true);
  };
  await Promise.all([...Array.from({ length: POOL_SIZE }, openAndClose), allClosed]);
  pool.removeAllListeners('remove');
  return (CONNECTIONS_PER_ROUND * 1_000) / (performance.now() - startedAt);
}
