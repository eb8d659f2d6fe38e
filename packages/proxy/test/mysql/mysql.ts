import type { Socket } from 'node:net';
import { startMariadb } from '@rds-iam/test-servers';
import { Command, cachingSha2Password, encodePacket, Plugin, Reply } from '@rds-iam/wire/mysql';
import mariadb from 'mariadb';
import { createConnection } from 'mysql2';
import type { Phase, Subject } from '../subject.js';
import { ask, failure, logIn, rows, type Site, startSite, Wire } from './harness.js';

type Config = Omit<Site['config'], 'database'>;

/** No client gives up before the test does: mariadb waits for a second by default. */
const PATIENT = { connectTimeout: 180_000 };
const WHO = "select substring_index(current_user(), '@', 1) as name";

/** One that has been greeted, and has said something. */
const said = (
  name: string,
  say: (wire: Wire, site: Pick<Site, 'config'>) => Promise<void>,
  isKnown = false,
): Phase<Config> => ({
  ...{ name, isKnown },
  async reach({ config }) {
    const site = { config: { ...config, database: '' } };
    const wire = await Wire.open(site);
    await say(wire, site);
    return wire.socket;
  },
});

async function prove(wire: Wire, site: Pick<Site, 'config'>): Promise<void> {
  wire.channel.write(wire.response(site));
  // MariaDB's greeting is for native passwords.
  const payload = await wire.channel.read(1000);
  if (payload[0] !== Reply.authSwitch) throw new Error('another proof is not asked for');
  const scrambleAt = 1 + Plugin.cachingSha2Password.length + 1;
  const scramble = payload.subarray(scrambleAt, scrambleAt + 20);
  wire.channel.write(cachingSha2Password(site.config.password as string, scramble));
}

export const mysql: Subject<Config> = {
  engine: 'mysql',
  async startSite(stack, options, clock) {
    const { proxy, config } = await startSite(stack, options, clock);
    const { database: _, ...toThatOfTheTarget } = config;
    return { proxy, config: toThatOfTheTarget };
  },
  logins: [
    async (config) => {
      const [row] = await ask({ ...config, ...PATIENT }, WHO);
      return row?.['name'];
    },
    async (config) => {
      const connection = await mariadb.createConnection({ ...config, ...PATIENT });
      try {
        const [{ name }] = await connection.query(WHO);
        return name;
      } finally {
        await connection.end();
      }
    },
  ],
  begin(config) {
    const connection = createConnection({ ...config, ...PATIENT });
    connection.on('error', () => {});
    return (connection as unknown as { readonly stream: Socket }).stream;
  },
  async logIn(config) {
    const connection = await logIn({ ...config, ...PATIENT });
    return {
      socket: (connection as unknown as { readonly connection: { readonly stream: Socket } }).connection.stream,
      cutOff: new Promise((resolve) => connection.once('error', resolve)),
      one: async () => (await rows(connection, 'select 1 as one'))[0]?.['one'],
    };
  },
  async refusal(config) {
    const { sqlState, message } = await failure({ ...config, ...PATIENT });
    return { sqlState, text: message };
  },
  unreachable: '08S01',
  // For the greeting.
  ownLogins: 1,
  phases: [
    said('the greeting', async () => {}),
    said('half its response', async (wire, site) => {
      wire.socket.write(encodePacket(1, wire.response(site)).subarray(0, 20));
    }),
    said('its response', async (wire, site) => {
      wire.channel.write(wire.response(site));
      await wire.channel.read(1000);
    }),
    said('its proof', prove, true),
    said(
      'half a change of user',
      async (wire, site) => {
        await prove(wire, site);
        if (!(await wire.channel.read(1000)).equals(Buffer.from([1, 3]))) throw new Error('its proof is not taken');
        if ((await wire.channel.read(1000))[0] !== Reply.ok) throw new Error('it is not in');
        wire.socket.write(encodePacket(0, Buffer.from([Command.changeUser])).subarray(0, 5));
      },
      true,
    ),
  ],
  async startServer() {
    return { ...(await startMariadb()), username: 'root' };
  },
};
