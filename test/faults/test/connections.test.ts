import { type Engine, startStack } from '@rds-iam/conformance';
import { startMariadb, startPostgres } from '@rds-iam/test-servers';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { drivers } from '../src/drivers.js';
import { Load, storm } from '../src/load.js';
import { startNetwork } from '../src/network.js';
import { startSite } from '../src/site.js';
import { printTolls, Toll } from '../src/toll.js';

afterAll(printTolls);

const CONNECTIONS = 8;
const WORKERS = 16;

describe.each(drivers)('open connections, with $name:', (driver) => {
  test('dropped under load: they are replaced, no login fails and no transaction is lost or done twice', async () => {
    const site = await startSite(driver);
    const load = await Load.start(site.createPool({ max: CONNECTIONS }), WORKERS);
    const toll = await Toll.begin('connections dropped under load', driver.name);
    let dropped = 0;
    for (let round = 0; round < 5; round++) {
      await load.progress(20);
      dropped += site.emulator.dropConnections();
    }
    toll.faultIsOver();
    await load.progress(WORKERS);
    const lost = await load.stop();
    await toll.recovered(lost);
    expect(load.failedLogins).toEqual([]);
    expect(lost).toBe(0);
    expect(dropped).toBeGreaterThan(CONNECTIONS);
    expect(load.broken, 'no more than were dropped').toBeLessThanOrEqual(dropped);
    expect(toll.attempts, 'one login for each that was dropped').toBeLessThanOrEqual(dropped + CONNECTIONS);
  });

  test('gone silent: statements end by their own time-out, and later ones get new connections', async () => {
    const site = await startSite(driver);
    const pool = site.createPool({ max: 4, statementTimeoutMs: 400 });
    const sessions = await Promise.all([1, 2, 3, 4].map(() => pool.checkout()));
    const toll = await Toll.begin('open connections fell silent', driver.name);
    await site.network.become('black hole');
    const statements = await Promise.allSettled(sessions.map((session) => session.query('select 1 as one')));
    expect(statements.map(({ status }) => status)).toEqual(Array.from({ length: 4 }, () => 'rejected'));
    await site.network.become('fair');
    toll.faultIsOver();
    for (const session of sessions) session.destroy();
    const lost = await storm(pool, 4);
    await toll.recovered(lost.length);
    expect(lost).toEqual([]);
    expect(toll.cost).toMatchObject({ attempts: 4, connections: 4 });
  });

  test('a server that restarts during a storm: all get their connection, no transaction is lost', async () => {
    await using server = await startServer(driver.engine);
    const network = await startNetwork();
    const { hostname, port, username } = server;
    const stack = await startStack(driver.engine, {
      upstream: { hostname, port, username },
      tokenPort: network.port,
    });
    network.leadTo(stack.emulator.port);
    const pool = (max: number) =>
      driver.createPool({
        ...{ hostname: 'localhost', port: network.port, username: stack.username, database: server.database },
        iam: { ...stack.iam, retry: {} },
        max,
      });
    const [ofLoad, ofStorm] = [pool(CONNECTIONS), pool(60)];
    onTestFinished(async () => {
      await Promise.all([ofLoad.end(), ofStorm.end()]);
      await stack[Symbol.asyncDispose]();
      await network[Symbol.asyncDispose]();
    });
    const load = await Load.start(ofLoad, WORKERS);
    const toll = await Toll.begin('server restarts in a storm', driver.name);
    await load.progress(50);

    const storming = storm(ofStorm, 60);
    await network.become('refuses');
    const restarted = server.restart();
    await toll.takes(5);
    // The port is open again before the server is ready.
    await network.become('fair');
    await restarted;
    toll.faultIsOver();
    const lostLogins = await storming;
    await load.progress(WORKERS);
    const lost = await load.stop();
    await toll.recovered(lost + lostLogins.length);
    expect(lostLogins).toEqual([]);
    expect(load.failedLogins).toEqual([]);
    expect(lost).toBe(0);
    expect(load.broken, 'the restart dropped connections').toBeGreaterThan(0);
    expect(toll.cost.gaveUp).toBe(0);
    // Because of the backoff, and at most ten logins under way while the server is unavailable.
    expect(toll.attempts).toBeLessThan(10 * toll.connections);
  });
});

interface OwnServer extends AsyncDisposable {
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly database: string;
  restart(): Promise<void>;
}

/** The test's own database server, which keeps committed data when it is killed. */
async function startServer(engine: Engine): Promise<OwnServer> {
  if (engine === 'postgres') return { ...(await startPostgres()), username: 'postgres', database: 'postgres' };
  const server = await startMariadb({ settings: { innodb_flush_log_at_trx_commit: '2' } });
  const admin = await server.connectAsSuperuser();
  await admin.query('create database shop');
  await admin.end();
  return { ...server, username: 'root', database: 'shop' };
}
