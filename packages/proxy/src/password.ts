import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** A password for a port, that can stand in a URL as it is. */
export function makePassword(): string {
  return randomBytes(18).toString('base64url');
}

/** Takes the same time whatever was given, its length too. */
export function isSamePassword(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
