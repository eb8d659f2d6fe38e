import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type MariadbOptions, type MariadbServer, startMariadb } from '@rds-iam/test-servers';
import { ByteReader } from '@rds-iam/wire';
import {
  Capability,
  Channel,
  decodeGreeting,
  encodeError,
  encodeHandshakeResponse,
  encodePacket,
  encodeSslRequest,
  type Greeting,
  type HandshakeResponse,
} from '@rds-iam/wire/mysql';
import mariadb, { type Connection as ConnectorConnection } from 'mariadb';
import mysql, { type Connection, type ConnectionOptions, type RowDataPacket } from 'mysql2/promise';
import { type Emulator, type EmulatorOptions, startEmulator } from '../../src/index.js';
import { closed, KEY, REGION, rest, sign as signFor, type TokenOptions } from '../harness.js';

export const PASSWORD = 'pässwörd with  spaces';
export const CHARACTER_SET = 45;

/** A MariaDB with the users `app` and `other`, with our password, and `nobody_asks`, without one; and a database `shop`. */
export async function startServer(options: MariadbOptions = {}): Promise<MariadbServer> {
  const server = await startMariadb({
    ...options,
    settings: { max_allowed_packet: '134217728', ...options.settings },
  });
  const root = await server.connectAsSuperuser();
  await root.query('create database shop');
  for (const [user, password] of [
    ['app', PASSWORD],
    ['other', PASSWORD],
    ['nobody_asks', ''],
  ]) {
    await root.query(`create user ${user}@'%' identified by ?`, [password]);
    await root.query(`grant all privileges on *.* to ${user}@'%'`);
  }
  await root.end();
  return server;
}

/** An emulator in front of a server, with the passwords of the server's accounts. */
export function start(
  server: { hostname: string; port: number },
  { upstream, ...options }: Partial<Omit<EmulatorOptions, 'upstream'>> & { upstream?: object } = {},
): Promise<Emulator> {
  return startEmulator({
    engine: 'mysql',
    upstream: {
      hostname: server.hostname,
      port: server.port,
      password: (username) => (username === 'nobody_asks' ? undefined : PASSWORD),
      ...upstream,
    },
    region: REGION,
    accessKeys: [KEY],
    ...options,
  });
}

/** A token signed by the AWS SDK. */
export const sign = (emulator: { hostname: string; port: number }, options: TokenOptions = {}): Promise<string> =>
  signFor(emulator, { username: 'app', ...options });

/** How mysql2 logs in. */
export async function login(emulator: Emulator, options: ConnectionOptions = {}): Promise<ConnectionOptions> {
  const user = options.user ?? 'app';
  return {
    host: emulator.hostname,
    port: emulator.port,
    user,
    password: options.password ?? (await sign(emulator, { username: user })),
    database: 'shop',
    ssl: { ca: emulator.ca },
    enableCleartextPlugin: true,
    ...options,
  };
}

export async function client(emulator: Emulator, options: ConnectionOptions = {}): Promise<Connection> {
  const connection = await mysql.createConnection(await login(emulator, options));
  connection.on('error', () => {});
  return connection;
}

/** A connection of the mariadb connector. */
export async function connector(emulator: Emulator): Promise<ConnectorConnection> {
  return mariadb.createConnection({
    host: emulator.hostname,
    port: emulator.port,
    user: 'app',
    password: await sign(emulator),
    database: 'shop',
    ssl: { ca: emulator.ca },
  });
}

/** Logs in, asks one question, and ends. */
export async function ask(
  emulator: Emulator,
  options: ConnectionOptions = {},
  sql = 'select 1 as one',
): Promise<RowDataPacket[]> {
  const connection = await client(emulator, options);
  try {
    return await rows(connection, sql);
  } finally {
    await connection.end();
  }
}

export async function rows(connection: Connection, sql: string, values: unknown[] = []): Promise<RowDataPacket[]> {
  const [result] = await connection.query<RowDataPacket[]>(sql, values);
  return result;
}

export const CAPABILITIES =
  Capability.mysql |
  Capability.connectWithDb |
  Capability.protocol41 |
  Capability.secureConnection |
  Capability.pluginAuth |
  Capability.pluginAuthLenenc;

/** A client's answer to a greeting. */
export const response = (options: Partial<HandshakeResponse> = {}): HandshakeResponse => ({
  capabilities: CAPABILITIES,
  mariadbCapabilities: 0,
  maxPacketBytes: 1 << 24,
  characterSet: CHARACTER_SET,
  username: 'app',
  authentication: Buffer.alloc(20, 1),
  database: Buffer.from('shop'),
  plugin: 'mysql_native_password',
  attributes: undefined,
  zstdLevel: undefined,
  ...options,
});

/** A client at the level of bytes and packets. */
export class Wire implements AsyncDisposable {
  stream: Socket;
  reader: ByteReader;
  channel: Channel;
  /** The server's greeting. */
  greeting: Greeting | undefined;
  /** The socket underneath TLS. */
  readonly raw: Socket;

  private constructor(socket: Socket) {
    this.raw = socket.on('error', () => {});
    this.stream = socket;
    this.reader = new ByteReader(socket);
    this.channel = new Channel(this);
  }

  /** Connects, and reads nothing. */
  static async dial(server: { port: number }): Promise<Wire> {
    const socket = connect({ host: '127.0.0.1', port: server.port, allowHalfOpen: true });
    await once(socket, 'connect');
    return new Wire(socket);
  }

  /** Connects, and reads the greeting. */
  static async open(server: { port: number }): Promise<Wire> {
    const wire = await Wire.dial(server);
    wire.greeting = decodeGreeting(await wire.read());
    return wire;
  }

  static async openTls(server: { port: number; ca: string }): Promise<Wire> {
    const wire = await Wire.open(server);
    wire.write(encodeSslRequest(response({ capabilities: CAPABILITIES | Capability.ssl })));
    await wire.startTls(server.ca);
    return wire;
  }

  /** Connects over TLS, answers the greeting, and reads the request for the token. */
  static async openToToken(
    server: { port: number; ca: string },
    options: Partial<HandshakeResponse> = {},
  ): Promise<Wire> {
    const wire = await Wire.openTls(server);
    await wire.respond(options).read();
    return wire;
  }

  async startTls(ca: string): Promise<void> {
    this.reader.release();
    const secure = connectTls({ socket: this.raw, ca, servername: 'localhost' });
    secure.on('error', () => {});
    await once(secure, 'secureConnect');
    this.stream = secure;
    this.reader = new ByteReader(secure);
    this.channel = new Channel(this, 2);
  }

  respond(options: Partial<HandshakeResponse> = {}): this {
    return this.write(encodeHandshakeResponse(response(options)));
  }

  write(payload: Buffer | string): this {
    this.channel.write(Buffer.from(payload));
    return this;
  }

  read(): Promise<Buffer> {
    return this.channel.read(1 << 24);
  }

  /** Sends a command; what is read next is the answer. */
  command(code: number, rest: Buffer | string = ''): this {
    this.channel = new Channel(this);
    return this.write(Buffer.concat([Buffer.from([code]), Buffer.from(rest)]));
  }

  /** Makes the next packet count as the answer to a command. */
  answer(): this {
    this.channel = new Channel(this, 1);
    return this;
  }

  /** Sends bytes as they are. */
  send(bytes: Buffer | string): this {
    this.stream.write(bytes);
    return this;
  }

  /** Everything until the server closes. */
  rest(): Promise<Buffer> {
    return rest(this.reader);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stream.destroy();
    await closed(this.raw);
  }
}

/** What an ERR packet looks like on the wire. */
export function errorPacket(sequence: number, code: number, sqlState: string, message: string): Buffer {
  return encodePacket(sequence, encodeError({ code, sqlState, message }));
}
