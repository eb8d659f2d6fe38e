import { X509Certificate } from 'node:crypto';
import { parseRdsHostname } from '@rds-iam/core';

/**
 * The root in a bundle for RDS's default authority in the region of a host name, or else the first one. For programs that read
 * only one certificate, such as Prisma's engine.
 */
export function rootFor(hostname: string, certificates: readonly string[]): string {
  const region = parseRdsHostname(hostname)?.region;
  const wanted = `CN=Amazon RDS ${region} Root CA RSA2048 G1`;
  const root = certificates.find((pem) => new X509Certificate(pem).subject.split('\n').includes(wanted));
  return root ?? certificates[0] ?? '';
}
