import pg from 'pg';
import { type Figure, formatNumber } from './figure.js';
import { CREDENTIALS, REGION } from './login.js';
import { startProxyProcess } from './proxy.js';
import { REFUSING_ALL, startLimitedServer } from './storm/server.js';

/** How many logins the server admits per second; the proxy knows this. */
const LIMIT = 20;
const WANTED = 10 * LIMIT;
const IDEAL_MS = (WANTED / LIMIT) * 1_000;

/** Ten times as many clients at once at the proxy as the server admits in a second. */
export async function proxyStorm(): Promise<Figure[]> {
  await using server = await startLimitedServer('postgres', LIMIT);
  const { host: hostname, port, user, database, ca } = server;
  const target = { engine: 'postgres', hostname, port, username: user, database };
  const iam = { region: REGION, credentials: CREDENTIALS, maxConnectionsPerSecond: LIMIT };
  await using proxy = await startProxyProcess({ target, iam, ca });
  await server.beginLog(REFUSING_ALL);
  const startedAt = performance.now();
  const clients = Array.from(
    { length: WANTED },
    () => new pg.Client({ host: '127.0.0.1', port: proxy.port, user, password: 'bench', database }),
  );
  const outcomes = await Promise.allSettled(clients.map((client) => client.connect()));
  const durationMs = performance.now() - startedAt;
  const logins = (await server.log()).length;
  const failed = outcomes.filter(({ status }) => status === 'rejected').length;
  await Promise.allSettled(clients.map((client) => client.end()));
  return [
    {
      ...{ figure: 'proxy: storm, limit known: clients that failed', measured: failed, unit: '' },
      ...{ beside: `of ${WANTED}, ${logins} logins at the server`, wanted: { exactly: 0 } },
    },
    {
      ...{
        figure: 'proxy: storm, limit known: time, to that of the limit',
        measured: durationMs / IDEAL_MS,
        unit: '×',
      },
      ...{ beside: `${formatNumber(durationMs / 1_000)} s`, wanted: { atMost: 1.15 } },
    },
  ];
}
