import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Stack } from '@rds-iam/conformance';
import pg from 'pg';
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../src/clock.js';
import type { ProxyEvent, ProxyOptions, RdsIamProxy } from '../src/index.js';
import { startProxyWith } from '../src/proxy.js';

/** Starts a proxy in front of a stack, for the rest of a test. */
export interface Site {
  readonly proxy: RdsIamProxy;
  readonly events: ProxyEvent[];
  /** The address of its first target. */
  readonly host: string;
  readonly port: number;
  /** The configuration for a driver. */
  readonly config: pg.ClientConfig;
}

export async function startSite(
  stack: Stack,
  options: Partial<ProxyOptions> = {},
  clock: Clock = systemClock,
): Promise<Site> {
  const { host: hostname, port: serverPort, user: username, database, iam } = stack.config;
  const events: ProxyEvent[] = [];
  const proxy = await startProxyWith(clock, {
    targets: [{ engine: 'postgres', hostname, port: serverPort, username, database }],
    iam,
    onEvent: (event) => events.push(event),
    ...options,
  });
  onTestFinished(() => proxy.close());
  const { host, port } = addressOf(proxy);
  const config = { host, port, user: username, database, ...(proxy.password && { password: proxy.password }) };
  return { proxy, events, host, port, config };
}

/** As in libpq: for a Unix socket, the folder and the number in its name. */
export function addressOf(proxy: RdsIamProxy, index = 0): { host: string; port: number } {
  const at = proxy.listeners[index]?.listening;
  if (at === undefined) throw new Error(`there is no listener ${index}`);
  return 'port' in at
    ? { host: at.address, port: at.port }
    : { host: at.folder, port: Number(/\.(\d+)$/.exec(at.path)?.[1]) };
}

/** Logs in, for the rest of a test. */
export async function logIn(config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config);
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

/** Logs in, asks one question, and ends. */
export async function ask(config: pg.ClientConfig, sql = 'select current_user as name'): Promise<unknown[]> {
  const client = new pg.Client(config);
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** The error of a login. */
export async function failure(config: pg.ClientConfig): Promise<Error & { code?: string; hint?: string }> {
  try {
    await ask(config);
  } catch (error) {
    return error as Error;
  }
  throw new Error('the login worked');
}

/** A client at the level of bytes. */
export class Wire {
  readonly socket: Socket;
  received: Buffer = Buffer.alloc(0);
  ended = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('close', () => {
      this.ended = true;
    });
  }

  static async open({ host, port }: { host: string; port: number }): Promise<Wire> {
    const socket = connect({ host, port, allowHalfOpen: true });
    await once(socket, 'connect');
    onTestFinished(() => void socket.destroy());
    return new Wire(socket);
  }

  /** The bytes received, once there are this many or the other side has ended. */
  async bytes(size: number): Promise<Buffer> {
    while (this.received.length < size && !this.ended) await turn();
    const taken = this.received.subarray(0, size);
    this.received = this.received.subarray(size);
    return taken;
  }

  /** The next message: its type and its body. */
  async message(): Promise<{ type: string; body: Buffer }> {
    const header = await this.bytes(5);
    return { type: header.toString('latin1', 0, 1), body: await this.bytes(header.readUInt32BE(1) - 4) };
  }

  /** Everything until the other side ends. */
  async rest(): Promise<Buffer> {
    while (!this.ended) await turn();
    return this.received;
  }
}

export function startup(parameters: Readonly<Record<string, string>>, version = 3 << 16): Buffer {
  const pairs = Object.entries(parameters).map(([name, value]) => `${name}\0${value}\0`);
  const packet = Buffer.concat([Buffer.alloc(8), Buffer.from(`${pairs.join('')}\0`)]);
  packet.writeUInt32BE(packet.length, 0);
  packet.writeUInt32BE(version, 4);
  return packet;
}

/** A request without a type. */
export function request(code: number, ...body: readonly Buffer[]): Buffer {
  const packet = Buffer.concat([Buffer.alloc(8), ...body]);
  packet.writeUInt32BE(packet.length, 0);
  packet.writeUInt32BE(code, 4);
  return packet;
}

/** A message with a type. */
export function message(type: string, body: Buffer | string): Buffer {
  const packet = Buffer.concat([Buffer.from(`${type}\0\0\0\0`), Buffer.from(body)]);
  packet.writeUInt32BE(packet.length - 1, 1);
  return packet;
}

export const SSL_REQUEST = request((1234 << 16) | 5679);
export const GSSENC_REQUEST = request((1234 << 16) | 5680);
export const cancelRequest = (key: Buffer) => request((1234 << 16) | 5678, key);

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Resolves once the condition holds; for events in another process or socket. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 20_000; performance.now() < deadline; ) {
    if (await condition()) return;
    await turn();
  }
  throw new Error('it did not come to that within 20 s');
}

export interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program in an environment without the developer's database settings. */
export async function run(
  program: string,
  args: readonly string[],
  { env = {}, input = '' }: { env?: Readonly<Record<string, string>>; input?: string } = {},
): Promise<Outcome> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('PG'));
  const child = spawn(program, args, { env: { ...Object.fromEntries(inherited), LC_ALL: 'C', ...env } });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdin.on('error', () => {}).end(input);
  const [exitCode] = (await once(child, 'close')) as [number | null];
  return { exitCode, stdout, stderr };
}
