// The first packets of a PostgreSQL client, with which it may ask for TLS before it says what it wants.
import type { SecureContext } from 'node:tls';
import { ConnectionEnded } from '../bytes.js';
import type { Connection } from '../connection.js';
import { GSSENC_REQUEST, SSL_REQUEST, type Startup, TLS_HANDSHAKE, unsupportedVersion } from './protocol.js';
import { readFirstPacket } from './reader.js';
import { badStartup } from './refusals.js';

const ALPN = 'postgresql';

/** What a client wants once it is done with asking for encryption. */
export type Opening =
  | { readonly kind: 'startup'; readonly startup: Startup }
  | { readonly kind: 'cancel'; readonly packet: Buffer };

/** Answers requests for encryption until the client says what it wants. `undefined` as a certificate is no TLS. */
export async function open(
  connection: Connection,
  certificate: () => Promise<SecureContext | undefined>,
): Promise<Opening> {
  const { raw } = connection;
  let firstByte: Buffer | undefined = await connection.reader.read(1);
  if (firstByte[0] === TLS_HANDSHAKE) {
    const context = await certificate();
    if (!context) throw new ConnectionEnded();
    connection.reader.release();
    raw.unshift(firstByte);
    firstByte = undefined;
    const secure = await connection.startTls(context, ALPN);
    // PostgreSQL insists, so that no other protocol's client can be led here.
    if (secure.alpnProtocol !== ALPN) throw new ConnectionEnded();
  }
  let [mayAskForTls, mayAskForGss] = [!connection.encrypted, !connection.encrypted];
  for (;;) {
    const packet = await readFirstPacket(connection.reader, firstByte);
    firstByte = undefined;
    if (packet.kind === 'startup' || packet.kind === 'cancel') return packet;
    if (packet.kind === 'gssenc') {
      if (!mayAskForGss) throw unsupportedVersion(GSSENC_REQUEST);
      mayAskForGss = false;
      refuseEarlyBytes(connection, 'GSSAPI encryption');
      connection.stream.write('N');
      continue;
    }
    if (!mayAskForTls) throw unsupportedVersion(SSL_REQUEST);
    mayAskForTls = false;
    refuseEarlyBytes(connection, 'SSL');
    const context = await certificate();
    if (context) {
      mayAskForGss = false;
      raw.write('S');
      await connection.startTls(context, ALPN);
    } else {
      raw.write('N');
    }
  }
}

/** Bytes that came in clear before TLS began may be an attacker's: CVE-2021-23214. */
function refuseEarlyBytes(connection: Connection, request: string): void {
  if (connection.reader.buffered === 0) return;
  throw badStartup(
    '08P01',
    `received unencrypted data after ${request} request`,
    'This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.',
  );
}
