// The roots that a server is verified with where the options give no "ca".
import { extraCaCertificates } from './builtins.js';
import { certificatesIn, type RdsRoot, readRoot, toPem } from './ca-bundles.js';
import { isRdsProxy, isRegion, parseRdsHostname } from './endpoint.js';
import { configError } from './errors.js';

/** Whose roots are asked for. */
export interface RootsRequest {
  readonly hostname: string;
  readonly region?: string | undefined;
}

export interface TrustedRoots {
  /** In PEM. */
  readonly certificates: readonly string[];
  /** Which they are, in words. */
  readonly description: string;
}

/** What of a request the roots depend on: two with the same have the same. */
export function rootsKey({ hostname, region }: RootsRequest): string {
  return `${region ?? ''} ${mayBeProxy(hostname)} ${parseRdsHostname(hostname) !== undefined}`;
}

/**
 * The roots of the region and, for RDS Proxy, Amazon's; all of them where the region is not known. The operator's own, of
 * NODE_EXTRA_CA_CERTS, are added. None is read here: that is for the secure context to do, once.
 *
 * @param extraCertificates - the operator's own, in PEM
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` where there are none for the region of an RDS endpoint
 */
export async function trustedRoots(
  { hostname, region }: RootsRequest,
  extraCertificates: readonly string[] = extraCaCertificates(),
): Promise<TrustedRoots> {
  const { AMAZON_ROOTS, RDS_ROOTS } = await import('./root-certificates.js');
  const ofRegion = region === undefined ? Object.values(RDS_ROOTS).flat() : (RDS_ROOTS[region] ?? []);
  const amazon = mayBeProxy(hostname) ? AMAZON_ROOTS : [];
  const known = new Set([...Object.values(RDS_ROOTS).flat(), ...AMAZON_ROOTS]);
  // A root of RDS is trusted for its own region only, also where the operator names it again.
  const extra = extraCertificates.flatMap(certificatesIn).filter((certificate) => !known.has(certificate));
  if (region !== undefined && parseRdsHostname(hostname) && ofRegion.length + amazon.length + extra.length === 0) {
    throw configError(
      'ca',
      `is required for "${hostname}", because this package has no roots for ${region}: download them with \`npx rds-iam ca --region ${region} --output rds-${region}.pem\`, and pass the contents of that file in "ca" or its path in NODE_EXTRA_CA_CERTS. This package has roots for ${(await regionsWithRoots()).join(', ')}`,
    );
  }
  const parts = [
    [
      ofRegion,
      region === undefined ? 'of Amazon RDS in the regions that this package knows' : `of Amazon RDS in ${region}`,
    ],
    [amazon, 'of Amazon, for RDS Proxy'],
    [extra, 'of NODE_EXTRA_CA_CERTS'],
  ] as const;
  return {
    certificates: [...ofRegion, ...amazon, ...extra].map(toPem),
    description: parts
      .map(([roots, words]) => `${roots.length} ${words}`)
      .filter((part) => !part.startsWith('0 '))
      .join(', '),
  };
}

/** The regions whose roots this package brings. */
export async function regionsWithRoots(): Promise<string[]> {
  const { RDS_ROOTS } = await import('./root-certificates.js');
  return Object.keys(RDS_ROOTS).filter(isRegion).sort();
}

/** The roots of Amazon RDS that this package brings. */
export async function packagedRoots(): Promise<RdsRoot[]> {
  const { RDS_ROOTS } = await import('./root-certificates.js');
  return Object.values(RDS_ROOTS).flat().map(toPem).map(readRoot);
}

/** The roots that a server is verified with by default, in PEM. @param request - without it, those of all servers */
export async function rdsRoots(request: RootsRequest = { hostname: '' }): Promise<string[]> {
  return [...(await trustedRoots(request)).certificates];
}

/** A name of somebody's own can lead to one. */
function mayBeProxy(hostname: string): boolean {
  return parseRdsHostname(hostname) === undefined || isRdsProxy(hostname);
}
