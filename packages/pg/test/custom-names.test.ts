import dns from 'node:dns';
import { Socket } from 'node:net';
import { type DnsServer, startDns } from '@rds-iam/test-servers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Pool } from '../src/index.js';
import { RDS_HOSTNAME, socketOf, startStack } from './stack.js';

const OTHER_HOSTNAME = 'standby.abc123.eu-west-1.rds.amazonaws.com';
const CUSTOM_NAME = 'db.shop.example';
let server: DnsServer;
const servers = dns.getServers();

beforeEach(async () => {
  server = await startDns();
  dns.setServers([server.address]);
  for (const name of [RDS_HOSTNAME, OTHER_HOSTNAME]) server.a(name, '127.0.0.1');
});
afterEach(async () => {
  dns.setServers(servers);
  await server.close();
});

/** A socket that resolves names by the DNS server of the test, as the system would by its own. */
function dialsByDns(): Socket {
  class DnsSocket extends Socket {
    override connect(...args: unknown[]): this {
      const [port, host] = args as [number, string];
      return super.connect({ port, host, lookup: server.lookup });
    }
  }
  return new DnsSocket();
}

test('a custom name is followed anew for each connection, and the endpoint behind it is dialled, signed for and verified', async () => {
  await using stack = await startStack({ hostnames: [RDS_HOSTNAME, OTHER_HOSTNAME] });
  const pool = new Pool({ ...stack.config, host: CUSTOM_NAME, stream: dialsByDns });
  server.cname(CUSTOM_NAME, RDS_HOSTNAME);
  const first = await pool.connect();
  server.cname(CUSTOM_NAME, OTHER_HOSTNAME);
  const second = await pool.connect();
  expect([first, second].map((client) => socketOf(client).servername)).toEqual([RDS_HOSTNAME, OTHER_HOSTNAME]);
  expect(stack.emulator.stats.distinctTokens).toBe(2);
  first.release();
  second.release();
  await pool.end();
});

test('an error of a login by a custom name says where it leads', async () => {
  await using stack = await startStack({ hostnames: [RDS_HOSTNAME], faults: { clockOffsetMs: 3_600_000 } });
  server.cname(CUSTOM_NAME, RDS_HOSTNAME);
  const pool = new Pool({ ...stack.config, host: CUSTOM_NAME, stream: dialsByDns });
  await expect(pool.query('select 1')).rejects.toMatchObject({
    code: 'ERR_RDS_IAM_REFUSED',
    hostname: CUSTOM_NAME,
    message: expect.stringContaining(`${CUSTOM_NAME} (${RDS_HOSTNAME})`),
  });
  await pool.end();
});
