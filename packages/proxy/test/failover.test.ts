import dns from 'node:dns';
import { CREDENTIALS, count, RDS_HOSTNAME, REGION, startStack } from '@rds-iam/conformance';
import { startEmulator } from '@rds-iam/emulator';
import { startDns, startPostgres } from '@rds-iam/test-servers';
import { expect, onTestFinished, test } from 'vitest';
import { ask, logIn, type Site, startSite, until } from './harness.js';

const CUSTOM = 'db.shop.example';
const STANDBY = 'standby.abc123.eu-west-1.rds.amazonaws.com';
const PORT = 5432;
const CLIENTS = 8;
const retry = { baseDelayMs: 20, maxDelayMs: 100 };

const storm = (site: Site) => Promise.all(Array.from({ length: CLIENTS }, () => ask(site.config)));
const allAs = (name: string) => Array.from({ length: CLIENTS }, () => [{ name }]);

test('failover behind a CNAME: clients that come meanwhile get in at the standby, with a token for it', async () => {
  await using stack = await startStack('postgres', { hostnames: [RDS_HOSTNAME], tokenPort: PORT });
  await using standby = await startEmulator({
    ...{ upstream: stack.upstream, region: REGION, accessKeys: [CREDENTIALS] },
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
    targets: [{ engine: 'postgres', hostname: CUSTOM, port: PORT, username: stack.username, database: 'postgres' }],
    iam: {
      ...{ ...own, retry, ca: [stack.emulator.ca, standby.ca] },
      dial: ({ hostname }) => `127.0.0.1:${portOf.get(hostname) ?? 9}`,
    },
  });
  expect(await ask(site.config)).toEqual([{ name: stack.username }]);
  portOf.delete(RDS_HOSTNAME);
  const failed = count('rds-iam:connection:attempt-failed');
  const coming = storm(site);
  await until(() => failed() >= 2 * CLIENTS);
  names.cname(CUSTOM, STANDBY);
  expect(await coming).toEqual(allAs(stack.username));
  expect(standby.stats).toMatchObject({ accepted: CLIENTS, distinctTokens: 1, refused: { 'wrong-host': 0 } });
});

test('a restart of the server: who is in is cut off, and who comes meanwhile waits and gets in', {
  timeout: 60_000,
}, async () => {
  await using server = await startPostgres({ hba: ['host all all 127.0.0.1/32 trust'] });
  const admin = await server.connectAsSuperuser();
  await admin.query('create role app login');
  await admin.end();
  const { hostname, port } = server;
  await using stack = await startStack('postgres');
  await using emulator = await startEmulator({
    ...{ upstream: { hostname, port }, region: REGION, accessKeys: [CREDENTIALS] },
  });
  const username = 'app';
  const { config, proxy } = await startSite(stack, {
    targets: [{ engine: 'postgres', hostname: 'localhost', port: emulator.port, username, database: 'postgres' }],
    iam: { ...stack.iam, retry, ca: emulator.ca },
  });
  const site = { config: { ...config, user: username } } as Site;
  const open = await logIn(site.config);
  const cutOff = new Promise((resolve) => open.once('error', resolve));
  const restarted = server.restart();
  await cutOff;
  const coming = storm(site);
  await restarted;
  expect(await coming).toEqual(allAs(username));
  expect(proxy.stats).toMatchObject({ logins: CLIENTS + 1, refused: { server: 0 } });
});
