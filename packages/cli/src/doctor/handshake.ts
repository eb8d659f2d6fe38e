// A server's TLS as seen without logging in. Only the request for TLS is sent, so the server need not be verified first.
import { connect, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { ByteReader, ConnectionEnded } from '@rds-iam/wire';
import { Capability, Channel, decodeError, decodeGreeting, encodeSslRequest, Reply } from '@rds-iam/wire/mysql';
import { encodeFirstPacket } from '@rds-iam/wire/postgres';
import type { Engine } from '../settings.js';
import type { Facts } from './facts.js';
import { within } from './within.js';

export interface TlsSeen {
  /** The version in the greeting of MySQL and MariaDB. */
  readonly greeting?: string | undefined;
  /** Whether the server offers TLS; undefined if it did not get that far. */
  readonly offered?: boolean | undefined;
  readonly handshake?: Handshake;
  /** Why it got no further. */
  readonly error?: unknown;
}

interface Handshake {
  readonly protocol: string;
  /** OpenSSL's code for what is wrong with the chain. */
  readonly chainError: string | undefined;
  readonly nameError: string | undefined;
  /** Common names, starting with the server's certificate. */
  readonly chain: readonly string[];
  /** A date without a time. */
  readonly validTo: string;
}

/** Never rejects. */
export async function lookAtTls(facts: Facts): Promise<Pick<Facts, 'tls'>> {
  const { tcp, dial, name, port, engine, timeoutMs } = facts;
  if (tcp === undefined || 'error' in tcp) return { tls: undefined };
  const at = dial ?? { hostname: name.followed, port };
  const socket = connect(at.port, at.hostname);
  socket.on('error', () => {});
  let seen: TlsSeen = {};
  try {
    await within(timeoutMs, async () => {
      const reader = new ByteReader(socket);
      seen = await ASK_FOR_TLS[engine](socket, reader);
      // Everything that follows belongs to TLS.
      reader.release();
      if (seen.offered) seen = { ...seen, handshake: await shakeHands(socket, facts) };
    });
    return { tls: seen };
  } catch (error) {
    return { tls: { ...seen, error } };
  } finally {
    socket.destroy();
  }
}

type AskForTls = (socket: Socket, reader: ByteReader) => Promise<Pick<TlsSeen, 'offered' | 'greeting'>>;

const MAX_GREETING_BYTES = 65_536;
/** Packets to 16 MiB, utf8mb4. */
const MYSQL_SSL_REQUEST = encodeSslRequest({
  capabilities: Capability.protocol41 | Capability.ssl | Capability.secureConnection | Capability.pluginAuth,
  ...{
    mariadbCapabilities: 0,
    maxPacketBytes: 2 ** 24,
    characterSet: 45,
    username: '',
    authentication: Buffer.alloc(0),
  },
  ...{ database: undefined, plugin: '', attributes: undefined, zstdLevel: undefined },
});

const ASK_FOR_TLS: Readonly<Record<Engine, AskForTls>> = {
  async postgres(socket, reader) {
    socket.write(encodeFirstPacket({ kind: 'ssl' }));
    const answer = (await reader.read(1)).toString('latin1');
    if (answer !== 'S' && answer !== 'N') throw new Error('this is not the answer of a PostgreSQL server');
    return { offered: answer === 'S' };
  },
  async mysql(socket, reader) {
    const channel = new Channel({ stream: socket, reader });
    const payload = await channel.read(MAX_GREETING_BYTES);
    if (payload[0] === Reply.error) throw new Error(`the server says ${decodeError(payload).message.slice(0, 300)}`);
    const { serverVersion, capabilities } = decodeGreeting(payload);
    const offered = (capabilities & Capability.ssl) !== 0;
    if (offered) channel.write(MYSQL_SSL_REQUEST);
    return { offered, greeting: serverVersion };
  },
};

async function shakeHands(socket: Socket, { name, ca }: Facts): Promise<Handshake> {
  const hostname = name.followed;
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
    tls.once('close', () => reject(new ConnectionEnded()));
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

/** Node.js reports an error about the name in the same place; that one is judged separately. */
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
