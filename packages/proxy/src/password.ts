import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** A random password for a port, with characters that need no encoding in a URL. */
export function makePassword(): string {
  return randomBytes(18).toString('base64url');
}

/** Compares in constant time, whatever was given and however long it is. */
export function isSamePassword(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
