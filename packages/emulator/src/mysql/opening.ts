// The first packets of a MySQL client, with the first of which it may ask for TLS.
import type { SecureContext } from 'node:tls';
import type { Connection } from '../connection.js';
import type { Channel } from './channel.js';
import type { Offer } from './greeting.js';
import { Capability } from './protocol.js';
import { badHandshake } from './refusals.js';
import { parseCapabilities, parseResponse, type Response, SSL_REQUEST_BYTES } from './response.js';

/** More than a user's name, a token and the 64 kB that MySQL keeps of attributes can come to. */
export const MAX_LOGIN_PACKET_BYTES = 131_072;

/**
 * Greets a client, and reads its answer. `undefined` as a certificate is no TLS.
 * @throws Refusal, ConnectionEnded
 */
export async function open(
  connection: Connection,
  channel: Channel,
  certificate: SecureContext | undefined,
  offered: Offer,
): Promise<Response> {
  channel.write(offered.payload);
  const first = await channel.read(MAX_LOGIN_PACKET_BYTES);
  if (!(parseCapabilities(first) & Capability.ssl)) return parseResponse(first, offered);
  // What else came in clear would be from anybody.
  if (!certificate || first.length !== SSL_REQUEST_BYTES) throw badHandshake();
  // The handshake may have come along already, as MySQL's clients wait for no answer. All that comes from here on is
  // taken for TLS, so nothing in clear can slip in.
  await connection.startTls(certificate);
  return parseResponse(await channel.read(MAX_LOGIN_PACKET_BYTES), offered);
}
