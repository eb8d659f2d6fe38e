// The first packets of a MySQL client; the very first may ask for TLS.
import type { SecureContext } from 'node:tls';
import {
  Capability,
  type Channel,
  decodeCapabilities,
  decodeHandshakeResponse,
  encodeGreeting,
  type Greeting,
  type HandshakeResponse,
  SSL_REQUEST_BYTES,
} from '@rds-iam/wire/mysql';
import type { Connection } from '../connection.js';
import { badHandshake, clientTooOld } from './refusals.js';

/** More than a user name, a token and the 64 kB that MySQL allows for attributes add up to. */
export const MAX_LOGIN_PACKET_BYTES = 131_072;

/**
 * Greets a client and reads its answer. Without a certificate there is no TLS.
 * @throws Refusal, ProtocolError, ConnectionEnded
 */
export async function open(
  connection: Connection,
  channel: Channel,
  certificate: SecureContext | undefined,
  offered: Greeting,
): Promise<HandshakeResponse> {
  channel.write(encodeGreeting(offered));
  const first = await channel.read(MAX_LOGIN_PACKET_BYTES);
  if (!(decodeCapabilities(first) & Capability.ssl)) return responseOf(first, offered);
  // Anything else in clear could come from anybody.
  if (!certificate || first.length !== SSL_REQUEST_BYTES) throw badHandshake();
  // The TLS handshake may have arrived already, since MySQL's clients do not wait for an answer. Everything from here on is
  // treated as TLS, so nothing in clear can slip in.
  await connection.startTls(certificate);
  return responseOf(await channel.read(MAX_LOGIN_PACKET_BYTES), offered);
}

/** @throws Refusal, ProtocolError */
function responseOf(payload: Buffer, offered: Greeting): HandshakeResponse {
  const response = decodeHandshakeResponse(payload, offered);
  // A client that cannot switch its authentication method cannot be asked for a token.
  const has = (flag: number) => (response.capabilities & flag) !== 0;
  if (!has(Capability.pluginAuth) || !has(Capability.secureConnection)) throw clientTooOld();
  return response;
}
