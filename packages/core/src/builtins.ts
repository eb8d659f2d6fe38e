// Modules of Node.js that a connection needs and a token does not: together they take as long to load as this whole package.
import type * as crypto from 'node:crypto';
import type { EventEmitter } from 'node:events';
import type * as net from 'node:net';
import type * as tls from 'node:tls';

export const isIP: typeof net.isIP = (text) => process.getBuiltinModule('node:net').isIP(text);

export const createSecureContext: typeof tls.createSecureContext = (options) =>
  process.getBuiltinModule('node:tls').createSecureContext(options);

export const connectTls = (options: tls.ConnectionOptions): tls.TLSSocket =>
  process.getBuiltinModule('node:tls').connect(options);

export const connectSocket = (options: net.NetConnectOpts): net.Socket =>
  process.getBuiltinModule('node:net').connect(options);

export const once = (emitter: EventEmitter, name: string): Promise<unknown> =>
  process.getBuiltinModule('node:events').once(emitter, name);

export const checkServerIdentity: typeof tls.checkServerIdentity = (hostname, certificate) =>
  process.getBuiltinModule('node:tls').checkServerIdentity(hostname, certificate);

export const resolveCname = (hostname: string): Promise<string[]> =>
  process.getBuiltinModule('node:dns/promises').resolveCname(hostname);

export const readCertificate = (pem: string): crypto.X509Certificate =>
  new (process.getBuiltinModule('node:crypto').X509Certificate)(pem);

/** The extra certificates that the operator of the process trusts, in PEM: Node.js's own convention. */
export function extraCaCertificates(): readonly string[] {
  const { getCACertificates } = process.getBuiltinModule('node:tls') as {
    // Exists since Node.js 22.15; the types are those of 20.
    readonly getCACertificates?: (type: 'extra') => readonly string[];
  };
  if (getCACertificates) return getCACertificates('extra');
  const path = process.env['NODE_EXTRA_CA_CERTS'];
  if (!path) return [];
  try {
    return [process.getBuiltinModule('node:fs').readFileSync(path, 'utf8')];
  } catch {
    // Node.js has warned about the file, and does not trust any of it either.
    return [];
  }
}
