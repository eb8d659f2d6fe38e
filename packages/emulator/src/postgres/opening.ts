// The first packets of a PostgreSQL client, with which it may ask for TLS before it says what it wants.
import type { SecureContext } from 'node:tls';
import { ConnectionEnded } from '@rds-iam/wire';
import { encodeFirstPacket, RequestCode, readFirstPacket, type Startup, TLS_HANDSHAKE } from '@rds-iam/wire/postgres';
import type { Connection } from '../connection.js';
import { earlyBytes, noUser, unsupportedVersion } from './refusals.js';

const ALPN = 'postgresql';

/** A client's actual first message, after any requests for encryption. */
export type Opening =
  | { readonly kind: 'startup'; readonly startup: Startup }
  | { readonly kind: 'cancel'; readonly packet: Buffer };

/** Answers requests for encryption until the actual first message. Without a certificate there is no TLS. */
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
    // PostgreSQL insists on it, so that clients of other protocols cannot be misdirected here.
    if (secure.alpnProtocol !== ALPN) throw new ConnectionEnded();
  }
  let [mayAskForTls, mayAskForGss] = [!connection.encrypted, !connection.encrypted];
  for (;;) {
    const packet = await readFirstPacket(connection.reader, firstByte);
    firstByte = undefined;
    if (packet.kind === 'unsupported') throw unsupportedVersion(packet.version);
    if (packet.kind === 'cancel') return { kind: 'cancel', packet: encodeFirstPacket(packet) };
    if (packet.kind === 'startup') {
      if (!packet.startup.parameters.get('user')) throw noUser();
      return packet;
    }
    if (packet.kind === 'gssenc') {
      if (!mayAskForGss) throw unsupportedVersion(RequestCode.gssenc);
      mayAskForGss = false;
      refuseEarlyBytes(connection, 'GSSAPI encryption');
      connection.stream.write('N');
      continue;
    }
    if (!mayAskForTls) throw unsupportedVersion(RequestCode.ssl);
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

function refuseEarlyBytes(connection: Connection, request: 'SSL' | 'GSSAPI encryption'): void {
  if (connection.reader.buffered > 0) throw earlyBytes(request);
}
