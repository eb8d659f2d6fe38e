// The TLS of the server, as far as a stranger sees it: nothing is sent but what asks for TLS, so nothing has to be verified
// before it is looked at.

import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { checkServerIdentity, connect as connectTls, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { parseRdsHostname } from '@rds-iam/core';
import type { Engine } from '../settings.js';
import { regionFlag, shellWord } from '../shell-word.js';
import { type Cause, type Fix, failed, passed, type Step } from './step.js';
import { TimedOut, within } from './within.js';

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
  readonly ca: readonly string[];
  readonly timeoutMs: number;
}

/** Never rejects. */
export async function lookAtTls(request: TlsRequest): Promise<TlsSeen> {
  const socket = connect(request.port, request.hostname);
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

export interface TlsContext {
  readonly hostname: string;
  readonly port: number;
  /** The file of `--ca`. */
  readonly ca: string | undefined;
  /** What runs the doctor on this login again, less `--ca`. */
  readonly again: string;
}

/** Pure. */
export function judgeTls({ offered, handshake, error }: TlsSeen, context: TlsContext): Step {
  const where = `${context.hostname}:${context.port}`;
  if (offered === false) {
    return failed('tls', `${where} does not offer TLS, so no token is sent there`, [
      {
        diagnosis: 'no-tls',
        why: 'this is not an RDS endpoint, all of which offer TLS, or something in between (a tunnel, a pooler) takes it away',
        fix: [{ do: 'connect to the RDS endpoint itself, or turn on TLS in what stands in between' }],
      },
    ]);
  }
  if (!handshake) return judgeNoHandshake(where, offered === true, error);
  const { protocol, chainError, nameError, chain, validTo } = handshake;
  const seen = `${protocol}; certificate of ${chain.join(', issued by ')}, until ${validTo}`;
  if (chainError === 'CERT_HAS_EXPIRED') {
    const fix = [
      {
        shell: `aws rds modify-db-instance --db-instance-identifier ${idIn(context.hostname)}${regionFlag(parseRdsHostname(context.hostname)?.region)} --ca-certificate-identifier rds-ca-rsa2048-g1 --apply-immediately`,
      },
    ];
    const why = `the certificate of the server, or one of its chain, has expired (${validTo})`;
    return failed('tls', seen, [{ diagnosis: 'expired-certificate', why, fix }]);
  }
  if (chainError !== undefined) return failed('tls', `${seen}: ${chainError}`, [wrongCa(context, chainError)]);
  if (nameError !== undefined) {
    const fix = [
      { do: 'give one of the names in the certificate as the host name: the RDS endpoint, or a CNAME of it' },
    ];
    const why = `the certificate is not made out to ${context.hostname}: ${nameError.replace(/^.*altnames: /, '')}`;
    return failed('tls', `${seen}; it is made out to another name`, [{ diagnosis: 'wrong-name', why, fix }]);
  }
  return passed('tls', seen);
}

function judgeNoHandshake(where: string, offered: boolean, error: unknown): Step {
  const { code = '', message = String(error) } = (error ?? {}) as { readonly code?: string; readonly message?: string };
  const said = message.split('\n', 1)[0]?.replace(/^\w+:error:\w+:SSL routines:\w*:/, '') ?? '';
  if (offered && /SSL|EPROTO/.test(code)) {
    return failed('tls', `${where}: no handshake with TLS 1.2 or 1.3: ${said}`, [
      {
        diagnosis: 'old-tls',
        why: 'the server knows older versions of TLS only, or no cipher that Node.js takes',
        fix: [{ do: 'raise ssl_min_protocol_version or tls_version in its parameter group, or upgrade the engine' }],
      },
    ]);
  }
  return failed('tls', error instanceof TimedOut ? `${where}: ${said} to a request for TLS` : `${where}: ${said}`, [
    {
      diagnosis: 'no-answer',
      why: 'what listens there is no database of this engine, is overloaded, or something in between ends the connection',
      fix: [{ do: 'check --engine and --port, and that no proxy stands in between' }],
    },
  ]);
}

function wrongCa({ ca, hostname, again }: TlsContext, chainError: string): Cause {
  const region = parseRdsHostname(hostname)?.region;
  const bundle = `${region ?? 'global'}-bundle.pem`;
  const getBundle: readonly Fix[] = [
    { shell: `curl -fsSO https://truststore.pki.rds.amazonaws.com/${region ?? 'global'}/${bundle}` },
    { shell: `${again} --ca ${bundle}` },
  ];
  if (ca !== undefined) {
    const why = `the certificate is not of an authority in ${ca} (${chainError})`;
    const leaveOut: Fix = { do: 'leave out --ca for an RDS endpoint: the RDS roots are built in; or get the newest' };
    return { diagnosis: 'wrong-ca', why, fix: [leaveOut, ...getBundle] };
  }
  if (region !== undefined) {
    const why = `the certificate is of an authority that is not among the RDS roots built in (${chainError}): a newer one, or not that of RDS`;
    return { diagnosis: 'wrong-ca', why, fix: getBundle };
  }
  const why = `the certificate is not of RDS (${chainError}): ${hostname} is another server, or one with an authority of its own`;
  return { diagnosis: 'wrong-ca', why, fix: [{ shell: `${again} --ca FILE-OF-ITS-AUTHORITY.pem` }] };
}

const idIn = (hostname: string) => (parseRdsHostname(hostname) ? shellWord(hostname.split('.', 1)[0] ?? '') : 'ID');
