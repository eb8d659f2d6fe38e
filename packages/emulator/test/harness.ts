import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { Signer } from '@aws-sdk/rds-signer';
import { ByteReader, isConnectionEnded } from '@rds-iam/wire';
import { encodeFirstPacket, type Message, readMessage } from '@rds-iam/wire/postgres';
import pg from 'pg';
import { inject } from 'vitest';
import { type Emulator, type EmulatorOptions, startEmulator } from '../src/index.js';

/** PostgreSQL's request for TLS. */
export const SSL_REQUEST = encodeFirstPacket({ kind: 'ssl' });

/** A PostgreSQL client's startup message. */
export const startupOf = (parameters: Record<string, string>, version = 3 << 16): Buffer =>
  encodeFirstPacket({ kind: 'startup', startup: { version, parameters: new Map(Object.entries(parameters)) } });

export const REGION = 'eu-west-1';
export const KEY = { accessKeyId: 'AKIDEMULATOR', secretAccessKey: 'secret-that-must-not-print' };

/** An emulator in front of the shared PostgreSQL. */
export function start(options: Partial<EmulatorOptions> = {}): Promise<Emulator> {
  return startEmulator({ upstream: inject('postgres'), region: REGION, accessKeys: [KEY], ...options });
}

export interface TokenOptions {
  hostname?: string;
  port?: number;
  username?: string;
  region?: string;
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
}

/** A token signed by the AWS SDK. */
export function sign(emulator: { hostname: string; port: number }, options: TokenOptions = {}): Promise<string> {
  const { hostname, port } = emulator;
  return new Signer({
    hostname,
    port,
    username: 'postgres',
    region: REGION,
    credentials: KEY,
    ...options,
  }).getAuthToken();
}

export function client(emulator: Emulator, options: pg.ClientConfig = {}): pg.Client {
  const user = options.user ?? 'postgres';
  return new pg.Client({
    host: emulator.hostname,
    port: emulator.port,
    database: 'postgres',
    user,
    password: () => sign(emulator, { username: user }),
    ssl: { ca: emulator.ca },
    ...options,
  });
}

/** Logs in, asks one question, and ends. */
export async function ask(
  emulator: Emulator,
  options: pg.ClientConfig = {},
  sql = 'select 1 as one',
): Promise<unknown[]> {
  const connection = client(emulator, options);
  connection.on('error', () => {});
  await connection.connect();
  try {
    return (await connection.query(sql)).rows;
  } finally {
    await connection.end();
  }
}

export interface PgError extends Error {
  code?: string;
  severity?: string;
  routine?: string;
  file?: string;
}

export async function failure(promise: Promise<unknown>): Promise<PgError> {
  try {
    await promise;
  } catch (error) {
    return error as PgError;
  }
  throw new Error('it did not fail');
}

/** A client at the level of bytes. */
export class Wire implements AsyncDisposable {
  socket: Socket;
  reader: ByteReader;

  constructor(socket: Socket) {
    this.socket = socket.on('error', () => {});
    this.reader = new ByteReader(socket);
  }

  static async open(server: { port: number }): Promise<Wire> {
    const socket = connect({ host: '127.0.0.1', port: server.port, allowHalfOpen: true });
    await once(socket, 'connect');
    return new Wire(socket);
  }

  /** Connects, and asks for TLS. */
  static async openTls(server: { port: number; ca: string }): Promise<Wire> {
    const wire = await Wire.open(server);
    wire.socket.write(SSL_REQUEST);
    const answer = (await wire.reader.read(1)).toString();
    if (answer !== 'S') throw new Error(`the server answered ${answer}`);
    await wire.startTls(server.ca);
    return wire;
  }

  async startTls(ca: string, alpn?: string[]): Promise<TLSSocket> {
    this.reader.release();
    const secure = connectTls({
      socket: this.socket,
      ca,
      servername: 'localhost',
      ...(alpn ? { ALPNProtocols: alpn } : {}),
    });
    this.socket = secure;
    await once(secure, 'secureConnect');
    secure.on('error', () => {});
    this.reader = new ByteReader(secure);
    return secure;
  }

  write(bytes: Buffer | string): this {
    this.socket.write(bytes);
    return this;
  }

  startup(parameters: Record<string, string>, version = 3 << 16): this {
    return this.write(startupOf(parameters, version));
  }

  read(): Promise<Message> {
    return readMessage(this.reader, 1 << 20);
  }

  /** Everything until the server closes. */
  rest(): Promise<Buffer> {
    return rest(this.reader);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await closed(this.socket);
  }
}

/** Everything until the peer closes. */
export async function rest(reader: ByteReader): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (;;) {
    try {
      chunks.push(await reader.readSome());
    } catch (error) {
      if (isConnectionEnded(error)) return Buffer.concat(chunks);
      throw error;
    }
  }
}

/** Sends meaningless bytes until it is disconnected. */
export async function flood({ port }: { port: number }): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {}).resume();
  const block = Buffer.alloc(65_536, 0xff);
  const write = () => {
    while (!socket.destroyed && socket.write(block));
  };
  socket.on('drain', write);
  write();
  await closed(socket);
}

/** Sends something that is refused, and never closes. Resolves when the emulator has closed the connection anyway. */
export async function refusedWithoutClosing(emulator: Emulator, sent: Buffer): Promise<void> {
  const socket = connect({ port: emulator.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {}).resume();
  socket.write(sent);
  await once(socket, 'end');
  await until(() => emulator.stats.open === 0);
  socket.destroy();
}

/** Resolves once `condition` holds; for events in another process or socket. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 10_000; performance.now() < deadline; ) {
    if (await condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('it did not come to that within 10 s');
}

/** The fields of an ErrorResponse's body, in order. */
export function fields(body: Buffer): string[] {
  return body.toString('utf8').split('\0').filter(Boolean);
}

/** Resolves when the socket has closed, with an error or without. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}
