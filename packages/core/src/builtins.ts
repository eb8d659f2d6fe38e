// Modules of Node.js that a token does not need, only a connection: together they take as long to load as all of ours.
import type * as crypto from 'node:crypto';
import type { EventEmitter } from 'node:events';
import type * as net from 'node:net';
import type * as tls from 'node:tls';

export const isIP: typeof net.isIP = (text) => process.getBuiltinModule('node:net').isIP(text);

export const createSecureContext: typeof tls.createSecureContext = (options) =>
  process.getBuiltinModule('node:tls').createSecureContext(options);

export const connectTls = (options: tls.ConnectionOptions): tls.TLSSocket =>
  process.getBuiltinModule('node:tls').connect(options);

export const once = (emitter: EventEmitter, name: string, options: { signal: AbortSignal }): Promise<unknown> =>
  process.getBuiltinModule('node:events').once(emitter, name, options);

export const checkServerIdentity: typeof tls.checkServerIdentity = (hostname, certificate) =>
  process.getBuiltinModule('node:tls').checkServerIdentity(hostname, certificate);

export const resolveCname = (hostname: string): Promise<string[]> =>
  process.getBuiltinModule('node:dns/promises').resolveCname(hostname);

export const readCertificate = (pem: string): crypto.X509Certificate =>
  new (process.getBuiltinModule('node:crypto').X509Certificate)(pem);
