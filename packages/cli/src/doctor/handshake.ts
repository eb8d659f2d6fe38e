// The TLS of a server, as far as a stranger sees it: nothing is sent but what asks for TLS, so nothing has to be verified before
// it is looked at.
import { connect, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import type { DialedAddress } from '../dial.js';
import type { Engine } from '../settings.js';
import { within } from './within.js';

export interface TlsSeen {
  /** What MySQL and MariaDB say of their version before anything else. */
  readonly greeting?: string | undefined;
  /** Whether the server does TLS; undefined if it did not come to that. */
  readonly offered?: boolean;
  readonly handshake?: Handshake;
  /** Why it went no further. */
  readonly error?: unknown;
}

interface Handshake {
  readonly protocol: string;
  /** OpenSSL's word for what is wrong with the chain. */
  readonly chainError: string | undefined;
  readonly nameError: string | undefined;
  /** Common names, of the server's certificate first. */
  readonly chain: readonly string[];
  /** The day. */
  readonly validTo: string;
}

export interface TlsRequest {
  readonly engine: Engine;
  readonly hostname: string;
  readonly port: number;
  /** Where to connect instead. */
  readonly dial: DialedAddress | undefined;
  readonly ca: readonly string[];
  readonly timeoutMs: number;
}

/** Never rejects. */
export async function lookAtTls(request: TlsRequest): Promise<TlsSeen> {
  const { hostname, port } = request.dial ?? request;
  const socket = connect(port, hostname);
  socket.on('error', () => {});
  let seen: TlsSeen = {};
  try {
    await within(request.timeoutMs, async () => {
      const { offered, greeting } = await ASK_FOR_TLS[request.engine](socket);
      seen = { offered, greeting };
      if (offered) seen = { ...seen, handshake: await shakeHands(socket, request) };
    });
    return seen;
  } catch (error) {
    return { ...seen, error };
  } finally {
    socket.destroy();
  }
}

type AskForTls = (socket: Socket) => Promise<{ readonly offered: boolean; readonly greeting?: string }>;

const POSTGRES_SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const MYSQL_SSL = 0x0800;
/** The 4.1 protocol, TLS, safe passwords and plugins; packets to 16 MiB; utf8mb4. */
const MYSQL_SSL_REQUEST = Buffer.concat([
  Buffer.from([32, 0, 0, 1]),
  Buffer.from([0x00, 0x8a, 0x08, 0x00]),
  Buffer.from([0, 0, 0, 1, 45]),
  Buffer.alloc(23),
]);

// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL and
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
const ASK_FOR_TLS: Readonly<Record<Engine, AskForTls>> = {
  async postgres(socket) {
    socket.write(POSTGRES_SSL_REQUEST);
    const answer = (await read(socket, 1)).toString('latin1', 0, 1);
    if (answer !== 'S' && answer !== 'N') throw new Error('this is not the answer of a PostgreSQL server');
    return { offered: answer === 'S' };
  },
  async mysql(socket) {
    const header = await read(socket, 4);
    const payload = await read(socket, header.readUIntLE(0, 3));
    if (payload[0] === 0xff) throw new Error(`the server says ${payload.toString('utf8', 3, 300)}`);
    const end = payload.indexOf(0, 1);
    if (payload[0] !== 10 || end < 0 || payload.length < end + 16) {
      throw new Error('this is not the greeting of a MySQL or MariaDB server');
    }
    const offered = (payload.readUInt16LE(end + 14) & MYSQL_SSL) !== 0;
    if (offered) socket.write(MYSQL_SSL_REQUEST);
    return { offered, greeting: payload.toString('latin1', 1, end) };
  },
};

const MAX_GREETING = 65_536;

/** So many bytes and no more: what follows is for TLS. */
async function read(socket: Socket, length: number): Promise<Buffer> {
  if (length > MAX_GREETING) throw new Error(`the server begins with ${length} bytes, as no database does`);
  if (length === 0) return Buffer.alloc(0);
  for (;;) {
    const chunk: Buffer | null = socket.read(length);
    // At its end, a stream gives what is left.
    if (chunk && chunk.length >= length) return chunk;
    if (chunk || socket.destroyed) throw closedByServer('the connection');
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error) => {
        socket.off('readable', readable).off('error', done).off('close', closed);
        if (error) reject(error);
        else resolve();
      };
      const readable = () => done();
      const closed = () => done(closedByServer('the connection'));
      socket.on('readable', readable).on('error', done).on('close', closed);
    });
  }
}

function closedByServer(what: string): Error {
  return Object.assign(new Error(`the server closes ${what}`), { code: 'ECONNRESET' });
}

async function shakeHands(socket: Socket, { hostname, ca }: TlsRequest): Promise<Handshake> {
  const tls = connectTls({
    socket,
    host: hostname,
    ca: [...ca],
    minVersion: 'TLSv1.2',
    rejectUnauthorized: false,
    ...(/^[\d.]+$|:/.test(hostname) ? {} : { servername: hostname }),
  });
  await new Promise((resolve, reject) => {
    tls.once('secureConnect', resolve).once('error', reject);
    tls.once('close', () => reject(closedByServer('the connection during the handshake')));
  });
  tls.on('error', () => {});
  const certificate = tls.getPeerCertificate(true);
  const nameError = checkServerIdentity(hostname, certificate)?.message;
  const chainError = chainErrorOf(tls);
  const protocol = tls.getProtocol() ?? 'TLS';
  tls.destroy();
  return {
    protocol,
    chainError,
    nameError,
    chain: namesIn(certificate),
    validTo: new Date(certificate.valid_to).toISOString().slice(0, 10),
  };
}

/** What Node.js says of the name comes in the same place, and is looked at by itself. */
function chainErrorOf({ authorized, authorizationError }: TLSSocket): string | undefined {
  const error = String((authorizationError as { readonly code?: string } | null)?.code ?? authorizationError ?? '');
  return authorized || error === 'ERR_TLS_CERT_ALTNAME_INVALID' ? undefined : error;
}

function namesIn(certificate: DetailedPeerCertificate): string[] {
  const names: string[] = [];
  for (let at: DetailedPeerCertificate | undefined = certificate; at; ) {
    names.push([at.subject?.CN ?? at.subject?.O ?? 'a certificate without a name'].flat().join());
    const issuer: DetailedPeerCertificate | undefined = at.issuerCertificate;
    if (!issuer || issuer === at || issuer.fingerprint256 === at.fingerprint256) {
      if (!issuer && at.issuer?.CN) names.push([at.issuer.CN].flat().join());
      break;
    }
    at = issuer;
  }
  return names;
}
