import type { Duplex } from 'node:stream';
import { isIP } from './builtins.js';
import { configError, kindOf } from './errors.js';

/** Where to connect: `"HOST:PORT"` (an IPv6 address in brackets), the path of a Unix socket, or host and port apart. */
export type DialAddress = string | { readonly hostname: string; readonly port: number };

/** The RDS endpoint that a connection is for. */
export interface DialedEndpoint {
  readonly hostname: string;
  readonly port: number;
}

/**
 * The option `dial`: where to connect instead, as through a tunnel. A function can decide by endpoint, and may return a
 * connected stream; if it returns `undefined`, the endpoint itself is dialed.
 */
export type Dial =
  | DialAddress
  | ((endpoint: DialedEndpoint) => DialAddress | Duplex | undefined | Promise<DialAddress | Duplex | undefined>);

/** A parsed address: a host and port, or the path of a Unix socket. */
export type Destination = { readonly hostname: string; readonly port: number } | { readonly path: string };

const FIX = 'as in "127.0.0.1:15432", "[::1]:15432", "/run/tunnel.sock" or { hostname, port }';
const HOST_AND_PORT = /^(?:\[([^\]]*)\]|([^:[\]/\s]+)):(\d{1,5})$/;

/** Checks the option `dial`. @throws RdsIamError `ERR_RDS_IAM_CONFIG` */
export function checkDial(dial: unknown): asserts dial is Dial {
  if (typeof dial !== 'function') readAddress(dial);
}

/**
 * Where the option sends a connection for this endpoint: a connected stream, a destination, or `undefined` for the endpoint
 * itself. @throws RdsIamError `ERR_RDS_IAM_CONFIG`
 */
export async function dialFor(dial: Dial, endpoint: DialedEndpoint): Promise<Duplex | Destination | undefined> {
  if (typeof dial !== 'function') return readAddress(dial);
  const { hostname, port } = endpoint;
  const given = await dial({ hostname, port });
  if (given === undefined) return undefined;
  return isStream(given) ? given : readAddress(given);
}

export function isStream(value: unknown): value is Duplex {
  const { write, on } = (value ?? {}) as Partial<Duplex>;
  return typeof write === 'function' && typeof on === 'function';
}

function readAddress(given: unknown): Destination {
  if (typeof given === 'string') return readText(given);
  const { hostname, port } = (given ?? {}) as Partial<DialedEndpoint>;
  if (typeof hostname !== 'string' || hostname === '') {
    throw configError('dial', `must be an address, ${FIX}, or a function that returns one, got ${kindOf(given)}`);
  }
  return { hostname, port: checkPort(port) };
}

function readText(text: string): Destination {
  if (text.startsWith('/')) return { path: text };
  const [, address, name, port] = HOST_AND_PORT.exec(text) ?? [];
  if (port === undefined) throw configError('dial', `cannot be read: give host and port, ${FIX}`);
  if (address !== undefined && isIP(address) !== 6) throw configError('dial', 'has no IPv6 address in its brackets');
  return { hostname: address ?? name ?? '', port: checkPort(Number(port)) };
}

function checkPort(port: unknown): number {
  if (typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw configError('dial', `must have a port from 1 to 65535, got ${kindOf(port)}`);
}
