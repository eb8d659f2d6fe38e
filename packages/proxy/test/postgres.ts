import type { Socket } from 'node:net';
import { startPostgres } from '@rds-iam/test-servers';
import pg from 'pg';
import { ask, failure, logIn, SSL_REQUEST, startSite, startup, Wire } from './harness.js';
import type { Phase, Subject } from './subject.js';

const socketOf = (client: pg.Client) =>
  (client as unknown as { readonly connection: { readonly stream: Socket } }).connection.stream;

/** One that has said something, and waits for an answer of so many messages. */
const said = (name: string, saying: (user: string) => Buffer, answers = 0): Phase<pg.ClientConfig> => ({
  ...{ name, isKnown: false },
  async reach({ config: { host = '', port = 0, user = '' } }) {
    const wire = await Wire.open({ host, port });
    wire.socket.write(saying(user));
    for (let answer = 0; answer < answers; answer++) await wire.message();
    return wire.socket;
  },
});

export const postgres: Subject<pg.ClientConfig> = {
  engine: 'postgres',
  startSite,
  logins: [
    async (config) => {
      const [row] = await ask(config);
      return (row as { readonly name: string }).name;
    },
  ],
  begin(config) {
    const client = new pg.Client(config);
    client.on('error', () => {});
    client.connect().catch(() => {});
    return socketOf(client);
  },
  async logIn(config) {
    const client = await logIn(config);
    return {
      socket: socketOf(client),
      cutOff: new Promise((resolve) => client.once('error', resolve)),
      one: async () => (await client.query('select 1 as one')).rows[0].one,
    };
  },
  async refusal(config) {
    const { code, message, hint } = await failure(config);
    return { sqlState: code, text: `${message}\n${hint}` };
  },
  unreachable: '08001',
  ownLogins: 0,
  phases: [
    said('the connection', () => Buffer.alloc(0)),
    said('a request for TLS', () => SSL_REQUEST),
    said('half a request for TLS', () => SSL_REQUEST.subarray(0, 5)),
    said('half its name', (user) => startup({ user }).subarray(0, 20)),
    said('its name', (user) => startup({ user }), 1),
    { name: 'its login', isKnown: true, reach: async ({ config }) => socketOf(await logIn(config)) },
  ],
  startServer: async () => ({ ...(await startPostgres()), username: 'postgres' }),
};
