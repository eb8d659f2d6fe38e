// The roots that a server is verified with if the options have no "ca".
import { extraCaCertificates } from './builtins.js';
import { certificatesIn, type RdsRoot, readRoot, toPem } from './ca-bundles.js';
import { isRdsProxy, isRegion, parseRdsHostname } from './endpoint.js';
import { configError } from './errors.js';

/** The server whose roots are needed. */
export interface RootsRequest {
  readonly hostname: string;
  readonly region?: string | undefined;
}

export interface TrustedRoots {
  /** In PEM. */
  readonly certificates: readonly string[];
  /** What they are, in words. */
  readonly description: string;
}

/** A cache key: requests with the same key have the same roots. */
export function rootsKey({ hostname, region }: RootsRequest): string {
  return `${region ?? ''} ${mayBeProxy(hostname)} ${parseRdsHostname(hostname) !== undefined}`;
}

/**
 * The roots of the region and, for RDS Proxy, Amazon's; all of them if the region is not known. The operator's own, from
 * NODE_EXTRA_CA_CERTS, are added. None is parsed here: the secure context does that, once.
 *
 * @param extraCertificates - the operator's own, in PEM
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` if there are none for the region of an RDS endpoint
 */
export async function trustedRoots(
  { hostname, region }: RootsRequest,
  extraCertificates: readonly string[] = extraCaCertificates(),
): Promise<TrustedRoots> {
  const { AMAZON_ROOTS, RDS_ROOTS } = await import('./root-certificates.js');
  const ofRegion = region === undefined ? Object.values(RDS_ROOTS).flat() : (RDS_ROOTS[region] ?? []);
  const amazon = mayBeProxy(hostname) ? AMAZON_ROOTS : [];
  const known = new Set([...Object.values(RDS_ROOTS).flat(), ...AMAZON_ROOTS]);
  // An RDS root is trusted for its own region only, even if the operator lists it again.
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

/** The regions whose roots come with this package. */
export async function regionsWithRoots(): Promise<string[]> {
  const { RDS_ROOTS } = await import('./root-certificates.js');
  return Object.keys(RDS_ROOTS).filter(isRegion).sort();
}

/** The Amazon RDS roots that come with this package. */
export async function packagedRoots(): Promise<RdsRoot[]> {
  const { RDS_ROOTS } = await import('./root-certificates.js');
  return Object.values(RDS_ROOTS).flat().map(toPem).map(readRoot);
}

/** The roots that a server is verified with by default, in PEM. @param request - omit it for the roots of all servers */
export async function rdsRoots(request: RootsRequest = { hostname: '' }): Promise<string[]> {
  return [...(await trustedRoots(request)).certificates];
}

/** Whether it may be one: a custom name can lead to an RDS Proxy. */
function mayBeProxy(hostname: string): boolean {
  return parseRdsHostname(hostname) === undefined || isRdsProxy(hostname);
}
