import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Stack } from '@rds-iam/conformance';
import { ByteReader, isConnectionEnded } from '@rds-iam/wire';
import {
  Capability,
  Channel,
  cachingSha2Password,
  decodeGreeting,
  encodeHandshakeResponse,
  type Greeting,
  type HandshakeResponse,
  Plugin,
} from '@rds-iam/wire/mysql';
import mysql, { type Connection, type ConnectionOptions, type RowDataPacket } from 'mysql2/promise';
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.js';
import type { ProxyEvent, ProxyOptions, RdsIamProxy } from '../../src/index.js';
import { startProxyWith } from '../../src/proxy.js';

/** Starts a proxy in front of a stack, for the rest of a test. */
export interface Site {
  readonly proxy: RdsIamProxy;
  readonly events: ProxyEvent[];
  /** The configuration for a driver. */
  readonly config: {
    readonly host?: string;
    readonly port?: number;
    readonly socketPath?: string;
    readonly user: string;
    readonly database: string;
    readonly password?: string;
  };
}

export async function startSite(
  stack: Stack,
  options: Partial<ProxyOptions> = {},
  clock: Clock = systemClock,
): Promise<Site> {
  const { host: hostname, port: serverPort, user: username, database, iam } = stack.config;
  const events: ProxyEvent[] = [];
  const proxy = await startProxyWith(clock, {
    targets: [{ engine: 'mysql', hostname, port: serverPort, username, database }],
    iam,
    onEvent: (event) => events.push(event),
    ...options,
  });
  onTestFinished(() => proxy.close());
  const at = proxy.listeners[0]?.listening;
  if (at === undefined) throw new Error('there is no listener');
  const where = 'port' in at ? { host: at.address, port: at.port } : { socketPath: at.path };
  const password = proxy.password === undefined ? {} : { password: proxy.password };
  return { proxy, events, config: { ...where, user: username, database, ...password } };
}

/** Logs in, for the rest of a test. */
export async function logIn(config: ConnectionOptions): Promise<Connection> {
  const connection = await mysql.createConnection(config);
  connection.on('error', () => {});
  onTestFinished(() => connection.destroy());
  return connection;
}

export async function rows(connection: Connection, sql: string, values: unknown[] = []): Promise<RowDataPacket[]> {
  const [result] = await connection.query<RowDataPacket[]>(sql, values);
  return result;
}

/** Logs in, asks one question, and ends. */
export async function ask(config: ConnectionOptions, sql = 'select current_user() as name'): Promise<RowDataPacket[]> {
  const connection = await mysql.createConnection(config);
  connection.on('error', () => {});
  try {
    return await rows(connection, sql);
  } finally {
    await connection.end();
  }
}

/** The error of a login. */
export async function failure(
  config: ConnectionOptions,
): Promise<Error & { readonly errno?: number; readonly sqlState?: string }> {
  try {
    await ask(config);
  } catch (error) {
    return error as Error;
  }
  throw new Error('the login worked');
}

/** A client at the level of packets, which has read the greeting. */
export class Wire {
  readonly socket: Socket;
  readonly channel: Channel;
  readonly reader: ByteReader;
  greeting!: Greeting;

  constructor(socket: Socket) {
    this.socket = socket.on('error', () => {});
    this.reader = new ByteReader(socket);
    this.channel = new Channel({ stream: socket, reader: this.reader });
  }

  static async open({ config }: Pick<Site, 'config'>): Promise<Wire> {
    const socket = connect({ host: config.host as string, port: config.port as number, allowHalfOpen: true });
    await once(socket, 'connect');
    onTestFinished(() => void socket.destroy());
    const wire = new Wire(socket);
    wire.greeting = decodeGreeting(await wire.channel.read(1000));
    return wire;
  }

  /** How a client answers that knows the password. */
  response({ config }: Pick<Site, 'config'>, change: Partial<HandshakeResponse> = {}): Buffer {
    const { scramble, capabilities } = this.greeting;
    const wanted = Capability.protocol41 | Capability.secureConnection | Capability.pluginAuth;
    return encodeHandshakeResponse({
      capabilities: (capabilities & wanted) >>> 0,
      mariadbCapabilities: 0,
      maxPacketBytes: 1 << 24,
      characterSet: 45,
      username: config.user,
      authentication: cachingSha2Password(config.password as string, scramble),
      database: undefined,
      plugin: Plugin.cachingSha2Password,
      attributes: undefined,
      zstdLevel: undefined,
      ...change,
    });
  }

  /** Everything until the other side ends. */
  async rest(): Promise<Buffer> {
    const pieces: Buffer[] = [];
    try {
      for (;;) pieces.push(await this.reader.readSome());
    } catch (error) {
      if (!isConnectionEnded(error)) throw error;
      return Buffer.concat(pieces);
    }
  }
}
