import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { checkServerIdentity, createSecureContext, isIP } from './builtins.js';
import { configError, kindOf } from './errors.js';
import { LoginFailure } from './failure.js';
import { isShortage } from './shortage.js';

/** CA certificates in PEM, as `node:tls` accepts them: one or several texts with one or several certificates each. */
export type CaCertificates = string | Buffer | readonly (string | Buffer)[];

/** A driver's own TLS option, as far as IAM allows it: absent, `true`, or options for `node:tls`. */
export type DriverTls = boolean | ConnectionOptions | undefined;

const WEAK_VERSIONS: readonly unknown[] = ['TLSv1', 'TLSv1.1'];

/** Refuses, by name, TLS options that would turn off encryption or the verification of the server. */
export function checkDriverTls(ssl: unknown, option = 'ssl'): asserts ssl is DriverTls {
  if (ssl === undefined || ssl === true) return;
  if (ssl === false) {
    throw configError(option, `is false, but an IAM token may only travel over TLS: remove "${option}"`);
  }
  if (typeof ssl !== 'object' || ssl === null || Array.isArray(ssl)) {
    throw configError(option, `must be an object of TLS options or true, got ${kindOf(ssl)}`);
  }
  const given = ssl as ConnectionOptions & Readonly<Record<string, unknown>>;
  const refuse = (name: string, why: string, fix: string) => {
    throw configError(`${option}.${name}`, `${why}, but an IAM token may only go to a verified server: ${fix}`);
  };
  if (given.rejectUnauthorized !== undefined && given.rejectUnauthorized !== true) {
    refuse('rejectUnauthorized', 'is off', 'remove it, and give the CA in "ca" if the server is not an RDS one');
  }
  if (given.checkServerIdentity !== undefined) {
    refuse(
      'checkServerIdentity',
      'replaces the check of the host name',
      'remove it, and connect by the name in the certificate',
    );
  }
  for (const name of ['minVersion', 'maxVersion'] as const) {
    if (WEAK_VERSIONS.includes(given[name])) refuse(name, `allows ${given[name]}`, 'use TLSv1.2 or TLSv1.3');
  }
  if (given.session !== undefined) {
    refuse('session', 'resumes a session, in which the server does not present a certificate', 'remove it');
  }
  if (given.secureProtocol !== undefined) refuse('secureProtocol', 'fixes the protocol', 'use "minVersion"');
  if (given.ca !== undefined) checkCa(`${option}.ca`, given.ca);
}

export function checkCa(name: string, value: unknown): asserts value is CaCertificates {
  for (const pem of Array.isArray(value) ? value : [value]) {
    if ((typeof pem !== 'string' && !Buffer.isBuffer(pem)) || !String(pem).includes('-----BEGIN')) {
      throw configError(
        name,
        `must hold CA certificates in PEM (the text of the file, not its path), got ${kindOf(pem)}`,
      );
    }
  }
  if (Array.isArray(value) && value.length === 0) {
    throw configError(name, `is an empty array, which trusts nobody: remove it to trust the RDS roots`);
  }
}

/** The name or address that the server's certificate has to match, given these options. */
export function expectedIdentity(hostname: string, ssl: DriverTls): string {
  const servername = typeof ssl === 'object' ? ssl.servername : undefined;
  return isIP(hostname) !== 0 && servername ? servername : hostname;
}

/**
 * A driver's TLS options plus what IAM authentication requires. The secure context, by far the most expensive part of a
 * handshake with a hundred CA certificates, is made once here and used for every connection.
 */
export function tlsOptions(ssl: DriverTls, ca: CaCertificates): ConnectionOptions {
  const given = typeof ssl === 'object' ? ssl : {};
  const minVersion = given.minVersion ?? 'TLSv1.2';
  try {
    return {
      ...given,
      minVersion,
      rejectUnauthorized: true,
      secureContext:
        given.secureContext ??
        // pg makes the key non-enumerable, so spreading the options loses it.
        createSecureContext({ ...given, key: given.key, ca: given.ca ?? [...[ca].flat()], minVersion }),
    };
  } catch (cause) {
    if (isShortage(cause)) throw cause;
    throw configError(undefined, 'the TLS options cannot be used: see the cause', cause);
  }
}

/**
 * The session with one peer, which the next connection to it resumes: without certificates, a handshake costs a third.
 * Only a session with a peer that passed {@link assertVerifiedPeer} is kept. A server that can resume it knows its secret, and
 * so is that same peer.
 */
export class PeerSession {
  #latest: Buffer | undefined;

  /** For the option `session` of `tls.connect`, and then for {@link assertVerifiedPeer}. */
  get latest(): Buffer | undefined {
    return this.#latest;
  }

  /** Keeps the session of a socket whose peer was verified, and the better one that a TLS 1.3 server sends later. */
  keep(socket: TLSSocket): void {
    // A resumed session can be resumed again, until the server declines and makes a new one.
    if (this.#latest && socket.isSessionReused()) return;
    const keep = (session: Buffer | undefined) => {
      if (session) this.#latest = session;
    };
    keep(socket.getSession());
    socket.on('session', keep);
  }

  /** After a failed login, the next one does not resume a session. */
  forget(): void {
    this.#latest = undefined;
  }
}

/**
 * The last gate before a token is written: the socket must be encrypted, with TLS 1.2 or newer and a real cipher, to a
 * peer whose certificate chain was verified and names the intended host. Whatever a driver, its version or its options
 * made of the TLS options, nothing gets past this.
 *
 * @param resumed - the session that the socket was told to resume, from the same identity's {@link PeerSession}; no other
 * resumed session passes, since its peer does not present a certificate
 */
export function assertVerifiedPeer(socket: object, identity: string, resumed?: Buffer): asserts socket is TLSSocket {
  const fail = (what: string, cause?: unknown): never => {
    throw new LoginFailure(
      'peer-not-verified',
      `the token for ${identity} was not sent: ${what}`,
      cause ? { cause } : {},
    );
  };
  const tls = socket as Partial<TLSSocket>;
  if (tls.encrypted !== true || !tls.getPeerCertificate || !tls.getCipher || !tls.getProtocol) {
    return fail('the connection is not encrypted');
  }
  if (tls.authorized !== true) fail("the server's certificate was not verified");
  const protocol = tls.getProtocol();
  if (protocol !== 'TLSv1.2' && protocol !== 'TLSv1.3') fail(`the connection uses ${protocol}`);
  const cipher = tls.getCipher();
  if (/NULL|anon/i.test(`${cipher.name} ${cipher.standardName}`)) fail(`the cipher ${cipher.name} does not protect it`);
  if (resumed !== undefined && tls.isSessionReused?.() === true) return;
  // Not getPeerX509Certificate(), though quicker: after that call, Node.js 20 no longer finds a certificate on the socket.
  const mismatch = checkServerIdentity(identity, tls.getPeerCertificate());
  if (mismatch) fail('the certificate is for another name', mismatch);
}
