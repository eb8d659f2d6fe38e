// Downloads AWS's current RDS certificate authorities to a file.
import { randomBytes, X509Certificate } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { isRdsIamError, rdsRoots } from '@rds-iam/core';
import { bundleUrl, downloadBundle, PUBLIC_PARTITIONS, type RdsRoot, readBundle } from '@rds-iam/core/doctor';
import { FailedError, UsageError } from './exit-code.js';
import { regionOf } from './settings.js';
import { print, tell, write } from './terminal.js';

export interface CaRequest {
  readonly region?: string | undefined;
  readonly all?: boolean | undefined;
  /** The path of a file; if absent, stdout. */
  readonly output?: string | undefined;
  readonly json?: boolean | undefined;
}

export async function ca(
  { region: given, all = false, output, json = false }: CaRequest,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const named = given ?? (environment['AWS_REGION'] || undefined);
  if (!all && named === undefined) throw new UsageError('the region is missing: give --region, or --all');
  const region = all || named === undefined ? undefined : regionOf('--region', named);
  if (region !== undefined && bundleUrl(region) === undefined) {
    throw new UsageError(
      `AWS publishes no bundle for ${region}: get it from that partition's user guide, and give the file as --ca`,
    );
  }
  const now = Date.now();
  const authorities: RdsRoot[] = [];
  for (const of of region === undefined ? PUBLIC_PARTITIONS : [region]) {
    tell(`downloading ${bundleUrl(of)}`);
    authorities.push(...(await rootsIn(of, environment['RDS_IAM_CA_MIRROR'], now)));
  }
  if (region !== undefined && !authorities.some((authority) => authority.region === region)) {
    throw new FailedError(`the downloaded bundle has no certificate authority for ${region}. Nothing was written`);
  }
  const difference = differenceTo(await rdsRoots(), authorities, region);
  const pem = authorities.map((authority) => authority.pem).join('');
  if (output !== undefined) writeWhole(output, pem);
  if (json) {
    const listed = authorities.map(({ name, expiration, pem: of }) => ({
      name,
      expiration,
      sha256: new X509Certificate(of).fingerprint256.replaceAll(':', '').toLowerCase(),
    }));
    print(JSON.stringify({ region, authorities: listed, ...difference, ...(output ? { output } : { pem }) }));
  } else if (output === undefined) {
    for (const line of describe(authorities, difference)) tell(line);
    write(pem);
  } else {
    print([`${output} holds:`, ...describe(authorities, difference)].join('\n'));
  }
  return 0;
}

async function rootsIn(of: string, mirror: string | undefined, now: number): Promise<RdsRoot[]> {
  try {
    return readBundle(await downloadBundle(of, mirror || undefined), now);
  } catch (error) {
    // Core reports it as a configuration error.
    if (isRdsIamError(error)) throw new FailedError(`${error.message}. Nothing was written`, { cause: error });
    throw error;
  }
}

export interface Difference {
  /** Names of downloaded roots that are not built in. */
  readonly added: readonly string[];
  /** Names of roots that are built in, for this region or for all, and were not downloaded. */
  readonly missing: readonly string[];
}

/** Pure. @param roots - the built-in roots in PEM, including Amazon's public ones and the operator's own */
export function differenceTo(
  roots: readonly string[],
  authorities: readonly Pick<RdsRoot, 'name' | 'pem'>[],
  region: string | undefined,
): Difference {
  const brought = roots
    .map((pem) => ({ pem, name: /^CN=(.+)$/m.exec(new X509Certificate(pem).subject)?.[1] ?? '' }))
    .filter(({ name }) => name.startsWith(`Amazon RDS ${region ?? ''}`));
  const namesNotIn = (some: readonly Pick<RdsRoot, 'name' | 'pem'>[], others: readonly { readonly pem: string }[]) =>
    some.filter(({ pem }) => !others.some((other) => other.pem === pem)).map(({ name }) => name);
  return { added: namesNotIn(authorities, brought), missing: namesNotIn(brought, authorities) };
}

function describe(authorities: readonly RdsRoot[], { added, missing }: Difference): string[] {
  return [
    ...authorities.map(({ name, expiration }) => `${name}, until ${expiration.toISOString().slice(0, 10)}`),
    added.length === 0
      ? 'all of these are among the roots built into rds-iam'
      : `not among the roots built into rds-iam: ${added.join(', ')}. Give the file as --ca, or in NODE_EXTRA_CA_CERTS`,
    ...(missing.length > 0 ? [`among the roots built into rds-iam, but not here: ${missing.join(', ')}`] : []),
  ];
}

/** Replaces the file as a whole: anybody who reads it in the meantime gets the old one. */
function writeWhole(path: string, text: string): void {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw new FailedError(`--output cannot be written: ${(cause as Error).message}`, { cause });
  }
}
