import { X509Certificate } from 'node:crypto';
import { parseRdsHostname } from '@rds-iam/core';

/**
 * Of a bundle, the root of the authority that RDS gives instances by default, in the region of a host name; else the
 * first one. For what reads one certificate only, as Prisma's engine does.
 */
export function rootFor(hostname: string, certificates: readonly string[]): string {
  const region = parseRdsHostname(hostname)?.region;
  const wanted = `CN=Amazon RDS ${region} Root CA RSA2048 G1`;
  const root = certificates.find((pem) => new X509Certificate(pem).subject.split('\n').includes(wanted));
  return root ?? certificates[0] ?? '';
}
