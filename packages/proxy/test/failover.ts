import dns from 'node:dns';
import { CREDENTIALS, count, RDS_HOSTNAME, REGION, startStack } from '@rds-iam/conformance';
import { startEmulator } from '@rds-iam/emulator';
import { startDns } from '@rds-iam/test-servers';
import { expect, onTestFinished, test } from 'vitest';
import { until } from './harness.js';
import type { Subject, SubjectSite } from './subject.js';

const CUSTOM = 'db.shop.example';
const STANDBY = 'standby.abc123.eu-west-1.rds.amazonaws.com';
const PORT = 5432;
const CLIENTS = 8;
// A server of one's own takes its time to start on a busy machine.
const TIMEOUT_MS = 180_000;
const retry = { baseDelayMs: 20, maxDelayMs: 100, timeoutMs: TIMEOUT_MS };

/** What goes wrong when the server goes away and another one, or the same, takes its place. */
export function describeFailover<Config>({ engine, startSite, logIn, logins, startServer }: Subject<Config>): void {
  const login = (site: SubjectSite<Config>, client: number) => logins[client % logins.length]?.(site.config);
  const storm = (site: SubjectSite<Config>) =>
    Promise.all(Array.from({ length: CLIENTS }, (_, client) => login(site, client)));
  const allAs = (name: string) => Array.from({ length: CLIENTS }, () => name);

  test('failover behind a CNAME: clients that come meanwhile get in at the standby, with a token for it', async () => {
    await using stack = await startStack(engine, { hostnames: [RDS_HOSTNAME], tokenPort: PORT });
    const { username, database } = stack;
    await using standby = await startEmulator({
      ...{ engine, upstream: stack.upstream, region: REGION, accessKeys: [CREDENTIALS] },
      ...{ hostnames: [STANDBY], tokenPort: PORT },
    });
    const names = await startDns();
    const before = dns.getServers();
    dns.setServers([names.address]);
    onTestFinished(async () => {
      dns.setServers(before);
      await names.close();
    });
    names.cname(CUSTOM, RDS_HOSTNAME);
    // Their addresses cannot be had here.
    const portOf = new Map([
      [RDS_HOSTNAME, stack.emulator.port],
      [STANDBY, standby.port],
    ]);
    const { region: _, ...own } = stack.iam;
    const site = await startSite(stack, {
      targets: [{ engine, hostname: CUSTOM, port: PORT, username, database }],
      iam: {
        ...{ ...own, retry, ca: [stack.emulator.ca, standby.ca] },
        dial: ({ hostname }) => `127.0.0.1:${portOf.get(hostname) ?? 9}`,
      },
    });
    expect(await login(site, 0)).toBe(username);
    portOf.delete(RDS_HOSTNAME);
    const failed = count('rds-iam:connection:attempt-failed');
    const coming = storm(site);
    await until(() => failed() >= 2 * CLIENTS);
    names.cname(CUSTOM, STANDBY);
    expect(await coming).toEqual(allAs(username));
    expect(standby.stats).toMatchObject({ accepted: CLIENTS, distinctTokens: 1, refused: { 'wrong-host': 0 } });
  });

  test('a restart of the server: who is in is cut off, and who comes meanwhile waits and gets in', {
    timeout: TIMEOUT_MS,
  }, async () => {
    await using server = await startServer();
    const { hostname, port, username } = server;
    await using stack = await startStack(engine, { upstream: { hostname, port, username } });
    const site = await startSite(stack, {
      targets: [{ engine, hostname: 'localhost', port: stack.emulator.port, username: stack.username }],
      iam: { ...stack.iam, retry },
    });
    const open = await logIn(site.config);
    const restarted = server.restart();
    await open.cutOff;
    const coming = storm(site);
    await restarted;
    expect(await coming).toEqual(allAs(username));
    expect(site.proxy.stats).toMatchObject({ logins: CLIENTS + 1, refused: { server: 0 } });
  });
}
