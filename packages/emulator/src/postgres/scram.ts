// SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL uses it: the client's side, and a server's side that always refuses.
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

export const MECHANISM = 'SCRAM-SHA-256';

/** The client's side of one exchange. */
export interface ScramClient {
  readonly first: string;
  /** Answers the server's first message. @throws Error if that does not belong to ours */
  final(serverFirst: string): Promise<string>;
  /** Whether the server's last message proves that it also knows the password. */
  verify(serverFinal: string): boolean;
}

// PostgreSQL uses the user name in the startup packet and ignores this one.
export function createScramClient(password: string, nonce = randomBytes(18).toString('base64')): ScramClient {
  const firstBare = `n=,r=${nonce}`;
  let serverSignature: Buffer | undefined;
  return {
    first: `n,,${firstBare}`,
    async final(serverFirst) {
      const [, serverNonce = '', salt = '', iterations] =
        /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/=]+),i=([1-9]\d{0,8})$/.exec(serverFirst) ?? [];
      if (!serverNonce.startsWith(nonce) || serverNonce === nonce)
        throw new Error('not a SCRAM server’s first message');
      const salted = await promisify(pbkdf2)(
        saslPrep(password),
        Buffer.from(salt, 'base64'),
        Number(iterations),
        32,
        'sha256',
      );
      const withoutProof = `c=biws,r=${serverNonce}`; // biws is "n,,": no channel binding
      const authMessage = `${firstBare},${serverFirst},${withoutProof}`;
      const clientKey = hmac(salted, 'Client Key');
      const clientSignature = hmac(createHash('sha256').update(clientKey).digest(), authMessage);
      serverSignature = hmac(hmac(salted, 'Server Key'), authMessage);
      const proof = clientKey.map((byte, index) => byte ^ (clientSignature[index] ?? 0));
      return `${withoutProof},p=${Buffer.from(proof).toString('base64')}`;
    },
    verify(serverFinal) {
      const sent = Buffer.from(serverFinal.startsWith('v=') ? serverFinal.slice(2) : '', 'base64');
      return serverSignature !== undefined && sent.length === 32 && timingSafeEqual(sent, serverSignature);
    },
  };
}

/**
 * A server's first message for a user who cannot log in. As in PostgreSQL, the salt depends on the name, so asking twice does
 * not reveal that the user has no password. `undefined` if the client's message is invalid.
 */
export function mockServerFirst(clientFirst: string, username: string, secret: Buffer): string | undefined {
  const [, nonce] = /^[ny],[^,]*,n=[^,]*,r=([\x21-\x2b\x2d-\x7e]+)$/.exec(clientFirst) ?? [];
  if (nonce === undefined) return undefined;
  const salt = hmac(secret, username).subarray(0, 16).toString('base64');
  return `r=${nonce}${randomBytes(18).toString('base64')},s=${salt},i=4096`;
}

/** The mappings of SASLprep (RFC 4013), which PostgreSQL applies to passwords before it hashes them. */
function saslPrep(password: string): string {
  return password
    .replace(/[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g, ' ')
    .replace(/\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/g, '')
    .normalize('NFKC');
}

const hmac = (key: Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();
