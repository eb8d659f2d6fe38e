import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import {
  type ConnectionOptions,
  createServer as createTlsServer,
  rootCertificates,
  type TLSSocket,
  type TlsOptions,
  connect as tlsConnect,
} from 'node:tls';
import { type CertificateAuthority, createCertificateAuthority } from '@rds-iam/emulator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assertVerifiedPeer, checkDriverTls, expectedIdentity, PeerSession, tlsOptions } from '../src/tls.js';

const pem = rootCertificates[0] as string;

describe('a TLS option that would let a token out is refused by name', () => {
  test.each<[unknown, RegExp]>([
    [false, /"ssl" is false.*remove "ssl"/],
    ['no-verify', /"ssl" must be an object of TLS options or true, got a string/],
    [null, /"ssl" must be an object/],
    [{ rejectUnauthorized: false }, /"ssl.rejectUnauthorized" is off.*remove it/],
    [{ rejectUnauthorized: 0 }, /"ssl.rejectUnauthorized" is off/],
    [{ checkServerIdentity: () => undefined }, /"ssl.checkServerIdentity" replaces the check/],
    [{ minVersion: 'TLSv1' }, /"ssl.minVersion" allows TLSv1.*TLSv1\.2/],
    [{ maxVersion: 'TLSv1.1' }, /"ssl.maxVersion" allows TLSv1\.1/],
    [{ secureProtocol: 'TLSv1_method' }, /"ssl.secureProtocol"/],
    [{ session: Buffer.alloc(0) }, /"ssl.session" resumes a session/],
    [{ ca: 'rds.pem' }, /"ssl.ca" must hold CA certificates in PEM/],
  ])('%j', (ssl, message) => {
    expect(() => checkDriverTls(ssl)).toThrow(
      expect.objectContaining({ code: 'ERR_RDS_IAM_CONFIG', message: expect.stringMatching(message) }),
    );
  });

  test.each([
    undefined,
    true,
    {},
    { rejectUnauthorized: true },
    { minVersion: 'TLSv1.3' },
    { ca: pem, servername: 'db' },
  ])('%j is accepted', (ssl) => {
    expect(() => checkDriverTls(ssl)).not.toThrow();
  });
});

test("the driver's options pass through, with IAM's requirements on top", () => {
  const { secureContext, ...options } = tlsOptions({ ALPNProtocols: ['postgresql'], servername: 'db' }, pem);
  expect(options).toEqual({
    ALPNProtocols: ['postgresql'],
    servername: 'db',
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
  });
  expect(secureContext).toBeDefined();
});

test('TLS options that OpenSSL cannot use are a configuration error', () => {
  expect(() => tlsOptions({ cert: 'nonsense', key: 'nonsense' }, pem)).toThrow(
    expect.objectContaining({ code: 'ERR_RDS_IAM_CONFIG', cause: expect.any(Error) }),
  );
});

test('the certificate must name the host or, for an address, the given server name', () => {
  expect(expectedIdentity('db.example.com', { servername: 'other' })).toBe('db.example.com');
  expect(expectedIdentity('127.0.0.1', { servername: 'db.example.com' })).toBe('db.example.com');
  expect(expectedIdentity('127.0.0.1', true)).toBe('127.0.0.1');
});

describe('the last gate before a token is sent', () => {
  let authority: CertificateAuthority;
  let other: CertificateAuthority;
  const servers: { close(): void }[] = [];
  const sockets: Socket[] = [];
  beforeAll(async () => {
    [authority, other] = await Promise.all([createCertificateAuthority(), createCertificateAuthority()]);
  });
  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
  });

  async function secured(client: ConnectionOptions, server: TlsOptions = {}): Promise<TLSSocket> {
    const certificate = await authority.issue({ hostnames: ['localhost'] });
    const listening = createTlsServer({ ...certificate, ...server }, (socket) => sockets.push(socket)).listen(
      0,
      '127.0.0.1',
    );
    servers.push(listening);
    await once(listening, 'listening');
    const { port } = listening.address() as { port: number };
    const socket = tlsConnect({ host: '127.0.0.1', port, ...client });
    sockets.push(socket);
    await once(socket, 'secureConnect');
    return socket;
  }

  const refusal = (message: RegExp) =>
    expect.objectContaining({ kind: 'peer-not-verified', message: expect.stringMatching(message) });

  test('opens for a verified peer of the right name', async () => {
    const socket = await secured({ ca: authority.ca, servername: 'localhost' });
    expect(() => assertVerifiedPeer(socket, 'localhost')).not.toThrow();
  });

  test('opens for a resumed session only if we kept it from a verified peer', async () => {
    const client = { ca: authority.ca, servername: 'localhost', maxVersion: 'TLSv1.2' } as const;
    const first = await secured(client);
    const kept = new PeerSession();
    kept.keep(first);
    const at = { host: '127.0.0.1', port: first.remotePort as number };
    const socket = tlsConnect({ ...at, ...client, session: kept.latest as Buffer });
    sockets.push(socket);
    await once(socket, 'secureConnect');
    expect(socket.isSessionReused()).toBe(true);
    expect(() => assertVerifiedPeer(socket, 'localhost', kept.latest)).not.toThrow();
    expect(() => assertVerifiedPeer(socket, 'localhost')).toThrow(refusal(/another name/));
    expect(() => assertVerifiedPeer(first, 'db.example.com', kept.latest)).toThrow(refusal(/another name/));
    kept.forget();
    expect(kept.latest).toBeUndefined();
  });

  test('stays shut for a socket without TLS', async () => {
    const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    const socket = connect((server.address() as { port: number }).port, '127.0.0.1');
    sockets.push(socket);
    await once(socket, 'connect');
    expect(() => assertVerifiedPeer(socket, 'localhost')).toThrow(refusal(/not encrypted/));
    expect(() => assertVerifiedPeer({}, 'localhost')).toThrow(refusal(/not encrypted/));
  });

  test('stays shut for a peer of another CA that a driver let through', async () => {
    const socket = await secured({ ca: other.ca, servername: 'localhost', rejectUnauthorized: false });
    expect(() => assertVerifiedPeer(socket, 'localhost')).toThrow(refusal(/was not verified/));
  });

  test('stays shut for another name that a driver let through', async () => {
    const socket = await secured({ ca: authority.ca, servername: 'localhost', checkServerIdentity: () => undefined });
    expect(() => assertVerifiedPeer(socket, 'db.example.com')).toThrow(refusal(/another name/));
  });

  test('stays shut for a cipher that does not encrypt', async () => {
    const socket = await secured({ ca: authority.ca, servername: 'localhost' });
    const shown = {
      ...pick(socket),
      getCipher: () => ({ name: 'NULL-SHA256', standardName: 'TLS_RSA_WITH_NULL_SHA256', version: 'TLSv1.2' }),
    };
    expect(() => assertVerifiedPeer(shown, 'localhost')).toThrow(refusal(/NULL-SHA256 does not protect/));
  });

  test('stays shut for an old protocol', async () => {
    const socket = await secured({ ca: authority.ca, servername: 'localhost' });
    expect(() => assertVerifiedPeer({ ...pick(socket), getProtocol: () => 'TLSv1.1' }, 'localhost')).toThrow(
      refusal(/TLSv1\.1/),
    );
  });

  // Node.js's OpenSSL has neither a NULL cipher nor TLS 1.1, so the socket is made to claim them.
  function pick(socket: TLSSocket) {
    return {
      encrypted: true,
      authorized: socket.authorized,
      getPeerCertificate: () => socket.getPeerCertificate(),
      getCipher: () => socket.getCipher(),
      getProtocol: () => socket.getProtocol(),
    };
  }
});
