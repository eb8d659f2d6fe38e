// How a client proves to a server that it knows a password, without sending it.
import { constants, createHash, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto';

const hash = (algorithm: string, ...parts: Buffer[]): Buffer =>
  parts.reduce((digest, part) => digest.update(part), createHash(algorithm)).digest();

/** The XOR of both, as long as `a`; `b` is repeated. */
const xor = (a: Buffer, b: Buffer): Buffer => Buffer.from(a.map((byte, index) => byte ^ (b[index % b.length] ?? 0)));

/** https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_authentication_methods_native_password_authentication.html */
export function nativePassword(password: string, scramble: Buffer): Buffer {
  if (password === '') return Buffer.alloc(0);
  const once = hash('sha1', Buffer.from(password));
  return xor(once, hash('sha1', scramble, hash('sha1', once)));
}

/** https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html */
export function cachingSha2Password(password: string, scramble: Buffer): Buffer {
  if (password === '') return Buffer.alloc(0);
  const once = hash('sha256', Buffer.from(password));
  return xor(once, hash('sha256', hash('sha256', once), scramble));
}

// The bytes of a key that OAEP with SHA-1 uses up.
const PADDING_BYTES = 42;
const WRONG_BYTES = 20;

/**
 * The null-terminated password itself, encrypted for the owner of the private key. A password that is too long for the key (and
 * so for any account) is replaced by another wrong one. @throws Error if that is not a public key
 */
export function encryptPassword(password: Buffer, scramble: Buffer, publicKey: Buffer): Buffer {
  const key = createPublicKey(publicKey);
  const longest = (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8 - PADDING_BYTES;
  const sent = password.length > longest ? randomBytes(WRONG_BYTES) : password;
  return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING }, xor(sent, scramble));
}
