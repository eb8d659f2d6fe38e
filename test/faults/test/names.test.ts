import dns from 'node:dns';
import { Socket } from 'node:net';
import { CREDENTIALS, RDS_HOSTNAME, REGION } from '@rds-iam/conformance';
import { startEmulator } from '@rds-iam/emulator';
import { type DnsFailure, type DnsServer, startDns } from '@rds-iam/test-servers';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Driver, drivers } from '../src/drivers.js';
import { Load, storm } from '../src/load.js';
import { startSite } from '../src/site.js';
import { printTolls, Toll } from '../src/toll.js';

afterAll(printTolls);

const CUSTOM = 'db.shop.example';
const STANDBY = 'standby.abc123.eu-west-1.rds.amazonaws.com';
const CONNECTIONS = 8;
const WORKERS = 16;

describe.each(drivers)('a custom name for the database, with $name:', (driver) => {
  test('failover: the CNAME moves to the standby, which gets tokens of its own; no transaction is lost', async () => {
    const { site, names, portOf, iam } = await behindCname(driver);
    const { username, upstream } = site;
    const standby = await startEmulator({
      ...{ engine: driver.engine, upstream, region: REGION, accessKeys: [CREDENTIALS] },
      ...{ hostnames: [STANDBY], tokenPort: site.network.port },
    });
    onTestFinished(() => standby.close());
    portOf.set(STANDBY, standby.port);
    const pool = site.createPool({
      hostname: CUSTOM,
      max: CONNECTIONS,
      iam: { ...iam, ca: [site.emulator.ca, standby.ca] },
      socket: () => socketTo(portOf),
    });
    const load = await Load.start(pool, WORKERS);
    const toll = await Toll.begin('failover behind a CNAME', driver.name);
    await load.progress(50);
    await site.network.become('refuses');
    await toll.takes(20);
    names.cname(CUSTOM, STANDBY);
    toll.faultIsOver();
    await load.progress(50);
    const lost = await load.stop();
    await toll.recovered(lost);
    expect(load.failedLogins).toEqual([]);
    expect(lost).toBe(0);
    expect(standby.stats).toMatchObject({ accepted: CONNECTIONS, distinctTokens: 1 });
    expect(standby.stats.refused['wrong-host'], `tokens of ${username} for the old one`).toBe(0);
    await pool.end();
  });

  test.each<DnsFailure>(['SERVFAIL', 'REFUSED', 'NXDOMAIN'])(
    'a DNS that sometimes answers %s: every login succeeds',
    async (failure) => {
      const { site, names, portOf, iam } = await behindCname(driver);
      const pool = site.createPool({ hostname: CUSTOM, max: 4, iam, socket: () => socketTo(portOf) });
      expect(await storm(pool, 1)).toEqual([]);
      const toll = await Toll.begin(`DNS answers ${failure} now and then`, driver.name);
      const lost: unknown[] = [];
      for (let round = 0; round < 3; round++) {
        site.emulator.dropConnections();
        names.fail(CUSTOM, failure);
        const storming = storm(pool, 4);
        // Longer than a login that never succeeded would be retried.
        await toll.takes(4 * 4);
        names.cname(CUSTOM, RDS_HOSTNAME);
        toll.faultIsOver();
        lost.push(...(await storming));
      }
      await toll.recovered(lost.length);
      expect(lost).toEqual([]);
      expect(toll.cost).toMatchObject({ gaveUp: 0 });
      expect(site.emulator.stats.refused).toMatchObject({ 'wrong-host': 0 });
    },
  );

  test('a DNS that does not answer at all: each attempt times out, and the first one afterwards succeeds', async () => {
    const { site, names, portOf, iam } = await behindCname(driver);
    const retry = { ...iam.retry, attemptTimeoutMs: 400 };
    const pool = site.createPool({ hostname: CUSTOM, max: 4, iam: { ...iam, retry }, socket: () => socketTo(portOf) });
    expect(await storm(pool, 1)).toEqual([]);
    site.emulator.dropConnections();
    const toll = await Toll.begin('DNS is silent', driver.name);
    names.fail(CUSTOM, 'silence');
    const storming = storm(pool, 4);
    await toll.takes(2 * 4);
    names.cname(CUSTOM, RDS_HOSTNAME);
    toll.faultIsOver();
    const lost = await storming;
    await toll.recovered(lost.length);
    expect(lost).toEqual([]);
  });
});

/** A site at an RDS endpoint, and a custom name that is a CNAME of it; only the endpoint's name contains the region. */
async function behindCname(driver: Driver) {
  const site = await startSite(driver, { hostnames: [RDS_HOSTNAME] });
  const names = await useDns();
  names.cname(CUSTOM, RDS_HOSTNAME);
  const { region: _, ...iam } = site.iamWith({ retry: { baseDelayMs: 20, maxDelayMs: 100 } });
  return { site, names, portOf: new Map([[RDS_HOSTNAME, site.network.port]]), iam };
}

/** A DNS server that this process queries for CNAMEs during the rest of the test. */
async function useDns(): Promise<DnsServer> {
  const server = await startDns();
  const before = dns.getServers();
  dns.setServers([server.address]);
  onTestFinished(async () => {
    dns.setServers(before);
    await server.close();
  });
  return server;
}

/** A socket that finds servers by name, because their addresses and ports do not exist here. */
function socketTo(portOf: ReadonlyMap<string, number>): Socket {
  class SocketByName extends Socket {
    override connect(...args: unknown[]): this {
      const [to, host] = args as [number | { readonly host: string }, string];
      const name = typeof to === 'object' ? to.host : host;
      return super.connect({ host: '127.0.0.1', port: portOf.get(name) ?? 9 });
    }
  }
  return new SocketByName();
}
