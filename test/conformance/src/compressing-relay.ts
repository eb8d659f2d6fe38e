// A login that accepts any token, in front of a server that compresses, which the emulator does not support.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { createCertificateAuthority } from '@rds-iam/emulator';
import { ByteReader } from '@rds-iam/wire';
import { expect, vi } from 'vitest';
import { authSwitch } from './recording-mysql.js';
import type { Stack } from './stack.js';

const CLIENT_COMPRESS = 0x20;
const CLIENT_SSL = 0x0800;
const SSL_REQUEST_LENGTH = 36;

/** An RDS-like login in front of a server, which passes on all capabilities. */
export interface CompressingRelay extends AsyncDisposable {
  readonly port: number;
  readonly ca: string;
  /** How many logins asked for compression. */
  readonly compressed: number;
  /** How many bytes the server has sent in its sessions. */
  readonly sent: number;
}

/** @param offersCompression - called for each connection */
export async function startCompressingRelay(
  { upstream: database }: Pick<Stack, 'upstream'>,
  offersCompression = () => true,
): Promise<CompressingRelay> {
  const authority = await createCertificateAuthority();
  const secureContext = createSecureContext(await authority.issue({ hostnames: ['localhost'] }));
  const sockets = new Set<Socket>();
  const seen = { compressed: 0, sent: 0 };
  const server = createServer((client) => {
    const upstream = connect(database.port, database.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    }
    // A client that leaves has no 'end' to pass on, and may do so before its login is over.
    client.once('close', () => upstream.destroy());
    relay(client, upstream).catch(() => client.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  async function relay(client: Socket, upstream: Socket): Promise<void> {
    const theirs = packetsOf(upstream);
    const greeting = Buffer.from(await theirs.next());
    const flags = greeting.indexOf(0, 5) + 14;
    const withheld = offersCompression() ? 0 : CLIENT_COMPRESS;
    greeting.writeUInt16LE((greeting.readUInt16LE(flags) | CLIENT_SSL) & ~withheld, flags);
    client.write(greeting);
    const [request] = (await once(client, 'data')) as [Buffer];
    // The client's first TLS bytes may arrive together with its request for TLS.
    client.pause();
    if (request.length > SSL_REQUEST_LENGTH) client.unshift(request.subarray(SSL_REQUEST_LENGTH));
    const secure = new TLSSocket(client, { isServer: true, secureContext });
    secure.on('error', () => {});
    const ours = packetsOf(secure);
    const response = Buffer.from(await ours.next());
    secure.write(authSwitch(3, 'mysql_clear_password'));
    await ours.next();
    ours.release();
    const asked = response.readUInt32LE(4);
    if (asked & CLIENT_COMPRESS) seen.compressed++;
    response.writeUInt32LE((asked & ~CLIENT_SSL) >>> 0, 4);
    response[3] = 1;
    upstream.write(response);
    const ok = Buffer.from(await theirs.next());
    theirs.release();
    ok[3] = 5;
    secure.write(ok);
    upstream.on('data', (chunk) => {
      seen.sent += chunk.length;
    });
    upstream.pipe(secure).pipe(upstream);
  }

  return {
    port: (server.address() as AddressInfo).port,
    ca: authority.ca,
    get compressed() {
      return seen.compressed;
    },
    get sent() {
      return seen.sent;
    },
    async [Symbol.asyncDispose]() {
      try {
        // Older versions of mysql2 send their last packet some time after the end, and fail if nobody is there.
        await vi.waitFor(() => expect(sockets.size, 'no connection outlives its test').toBe(0), { timeout: 10_000 });
      } finally {
        for (const socket of sockets) socket.destroy();
        server.close();
        await once(server, 'close');
      }
    },
  };
}

/** Packets with their headers. */
function packetsOf(stream: Socket) {
  const reader = new ByteReader(stream);
  return {
    async next() {
      const header = await reader.read(4);
      return Buffer.concat([header, await reader.read(header.readUIntLE(0, 3))]);
    },
    release: () => reader.release(),
  };
}
