import type { Client } from '../client.js';
import type { Door } from '../engine.js';
import { Refusal } from '../refusal.js';
import { badProtocol, type FirstPacket, readFirstPacket } from './protocol.js';

/** The first byte of a TLS handshake, where no length of a startup packet can begin. */
const TLS_HANDSHAKE = 0x16;
const ALPN = 'postgresql';

/** Answers requests for encryption until the client says what it wants. @throws Refusal, ClientGone */
export async function open(
  client: Client,
  { tls, requiresTls }: Door,
): Promise<Exclude<FirstPacket, { kind: 'ssl' | 'gssenc' }>> {
  const first = await client.read(1);
  client.unread(first);
  if (first[0] === TLS_HANDSHAKE) {
    if (!tls) throw badProtocol('this port has no certificate for TLS');
    const secure = await client.startTls(tls, ALPN);
    // As PostgreSQL does, so that no other protocol's client can be led here.
    if (secure.alpnProtocol !== ALPN) throw badProtocol('direct TLS without the protocol "postgresql"');
  }
  // Each may be asked for once, and neither within TLS.
  const mayAsk = { ssl: !client.isEncrypted, gssenc: !client.isEncrypted };
  for (;;) {
    const packet = await readFirstPacket(client);
    if (packet.kind === 'cancel') return packet;
    if (packet.kind === 'startup') {
      if (requiresTls && !client.isEncrypted) {
        throw new Refusal('plaintext', 'rds-iam proxy: this port takes TLS only', {
          hint: 'Connect with sslmode=verify-full.',
        });
      }
      return packet;
    }
    if (!mayAsk[packet.kind]) throw badProtocol('a second request for encryption');
    mayAsk[packet.kind] = false;
    // Bytes that came in clear before TLS began may be an attacker's (CVE-2021-23214).
    if (client.buffered > 0) throw badProtocol('received unencrypted data after a request for encryption');
    if (packet.kind === 'gssenc' || !tls) {
      client.stream.write('N');
    } else {
      mayAsk.gssenc = false;
      client.stream.write('S');
      await client.startTls(tls, ALPN);
    }
  }
}
