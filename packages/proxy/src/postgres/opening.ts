import { ProtocolError } from '@rds-iam/wire';
import { decodeFirstPacket, type FirstPacket, MAX_STARTUP_BYTES, TLS_HANDSHAKE } from '@rds-iam/wire/postgres';
import type { Client } from '../client.js';
import type { Door } from '../engine.js';
import { Refusal } from '../refusal.js';

/** The sizes of a first packet's length, and of the least that follows it. */
const LENGTH_BYTES = 4;
const LEAST_BYTES = 4;
const ALPN = 'postgresql';

/** Answers requests for encryption until the client's actual first message. @throws Refusal, ProtocolError, ConnectionEnded */
export async function open(
  client: Client,
  { tls, requiresTls }: Door,
): Promise<Extract<FirstPacket, { kind: 'startup' | 'cancel' }>> {
  if ((await client.peek()) === TLS_HANDSHAKE) {
    if (!tls) throw new ProtocolError('layout', 'this port has no certificate for TLS');
    const secure = await client.startTls(tls, ALPN);
    // As in PostgreSQL, so that clients of other protocols cannot be misdirected here.
    if (secure.alpnProtocol !== ALPN) throw new ProtocolError('layout', 'direct TLS without the protocol "postgresql"');
  }
  // Each may be requested once, and neither over TLS.
  const mayAsk = { ssl: !client.isEncrypted, gssenc: !client.isEncrypted };
  for (;;) {
    const packet = await readFirstPacket(client);
    if (packet.kind === 'cancel') return packet;
    if (packet.kind === 'unsupported') {
      throw new ProtocolError(
        'version',
        `protocol ${packet.version >>> 16}.${packet.version & 0xffff} is not spoken here`,
      );
    }
    if (packet.kind === 'startup') {
      if (requiresTls && !client.isEncrypted) {
        throw new Refusal('plaintext', 'rds-iam proxy: this port takes TLS only', {
          hint: 'Connect with sslmode=verify-full.',
        });
      }
      return packet;
    }
    if (!mayAsk[packet.kind]) throw new ProtocolError('layout', 'a second request for encryption');
    mayAsk[packet.kind] = false;
    // Bytes in clear that arrived before TLS may be an attacker's (CVE-2021-23214).
    if (client.buffered > 0)
      throw new ProtocolError('layout', 'received unencrypted data after a request for encryption');
    if (packet.kind === 'gssenc' || !tls) {
      client.stream.write('N');
    } else {
      mayAsk.gssenc = false;
      client.stream.write('S');
      await client.startTls(tls, ALPN);
    }
  }
}

async function readFirstPacket(client: Client): Promise<FirstPacket> {
  const bytes = (await client.read(LENGTH_BYTES)).readUInt32BE(0) - LENGTH_BYTES;
  if (bytes < LEAST_BYTES || bytes > MAX_STARTUP_BYTES)
    throw new ProtocolError('length', 'a first packet of a length that none has');
  return decodeFirstPacket(await client.read(bytes));
}
