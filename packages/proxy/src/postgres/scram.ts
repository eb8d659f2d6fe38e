// The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL uses it.
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';

export const MECHANISM = 'SCRAM-SHA-256';
/** PostgreSQL's default. */
const ITERATIONS = 4096;

/** What the server stores of a password. */
export interface Verifier {
  readonly salt: string;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

export function makeVerifier(password: string): Verifier {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256');
  return {
    salt: salt.toString('base64'),
    storedKey: sha256(hmac(salted, 'Client Key')),
    serverKey: hmac(salted, 'Server Key'),
  };
}

/** The server's side of one exchange. */
export interface Exchange {
  readonly serverFirst: string;
  /** The server's last message; `undefined` if the client does not know the password. */
  finish(clientFinal: string): string | undefined;
}

/** Answers the client's first message; `undefined` if it is not one. */
export function beginExchange(
  clientFirst: string,
  { salt, storedKey, serverKey }: Verifier,
  nonce = randomBytes(18).toString('base64'),
): Exchange | undefined {
  // The user name is the startup packet's. Channel binding is not offered, even to a client that insists on it.
  const [, gs2, bare, clientNonce] = /^([ny],[^,]*,)(n=[^,]*,r=([\x21-\x2b\x2d-\x7e]+))$/.exec(clientFirst) ?? [];
  if (gs2 === undefined || bare === undefined || clientNonce === undefined) return undefined;
  const bothNonces = `${clientNonce}${nonce}`;
  const serverFirst = `r=${bothNonces},s=${salt},i=${ITERATIONS}`;
  return {
    serverFirst,
    finish(clientFinal) {
      const [, withoutProof, binding, nonces, proof] =
        /^(c=([A-Za-z0-9+/=]+),r=([\x21-\x2b\x2d-\x7e]+)),p=([A-Za-z0-9+/=]{44})$/.exec(clientFinal) ?? [];
      if (binding !== Buffer.from(gs2).toString('base64') || nonces !== bothNonces) return undefined;
      const authMessage = `${bare},${serverFirst},${withoutProof}`;
      const signature = hmac(storedKey, authMessage);
      const clientKey = Buffer.from(proof ?? '', 'base64').map((byte, index) => byte ^ (signature[index] ?? 0));
      if (!timingSafeEqual(sha256(clientKey), storedKey)) return undefined;
      return `v=${hmac(serverKey, authMessage).toString('base64')}`;
    },
  };
}

const hmac = (key: Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();
const sha256 = (data: Uint8Array): Buffer => createHash('sha256').update(data).digest();
