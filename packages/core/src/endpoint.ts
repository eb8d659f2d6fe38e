import { isIP } from './builtins.js';
import { configError, kindOf, RdsIamError } from './errors.js';

/** Where a user logs in: the host name and port as given to the driver, and the database user. */
export interface Endpoint {
  readonly hostname: string;
  /** 1 to 65535. */
  readonly port: number;
  readonly username: string;
}

/** What the name of an RDS endpoint says. */
export interface RdsHostname {
  readonly region: string;
  readonly partition: string;
}

// Regions and partitions are recognized by their shape, so new ones need no new release.
const REGION = /^[a-z]{2,}(?:-[a-z]+)+-\d{1,2}$/;
const RDS_SUFFIX =
  /^(?:amazonaws\.(?:com|com\.cn|eu)|(?:[a-z0-9-]+\.)+(?:ic|sgov)\.gov|cloud\.adc-e\.uk|api\.(?:aws|amazonwebservices\.(?:com\.cn|eu)|aws\.scloud|cloud-aws\.adc-e\.uk))$/;
const HOSTNAME = /^[\w-]+(?:\.[\w-]+)*$/;
const PARTITIONS: readonly (readonly [prefix: string, partition: string])[] = [
  ['cn-', 'aws-cn'],
  ['us-gov-', 'aws-us-gov'],
  ['us-iso-', 'aws-iso'],
  ['us-isob-', 'aws-iso-b'],
  ['eu-isoe-', 'aws-iso-e'],
  ['us-isof-', 'aws-iso-f'],
  ['eusc-', 'aws-eusc'],
];

/** Longer than any chain in use; resolvers have a limit of the same order. */
const MAX_CNAMES = 16;

/** Whether a text has the shape of a region's name, such as `eu-west-1`; not whether there is such a region. */
export function isRegion(value: string): boolean {
  return REGION.test(value);
}

/** The partition of a region, as in an ARN: `aws`, `aws-cn`, `aws-us-gov` and so on. */
export function partitionOf(region: string): string {
  return PARTITIONS.find(([prefix]) => region.startsWith(prefix))?.[1] ?? 'aws';
}

/**
 * Reads the region from the name of an instance, an Aurora cluster, reader or custom endpoint, or an RDS Proxy:
 * `name.id.region.rds.suffix`, or `name.id.rds.region.suffix` as in the China regions. Undefined for any other name, including
 * an Aurora global writer endpoint, which does not contain a region and is a CNAME of the writer cluster's endpoint.
 */
export function parseRdsHostname(hostname: string): RdsHostname | undefined {
  const name = canonical(hostname);
  if (!HOSTNAME.test(name)) return undefined;
  const labels = name.split('.');
  const rds = labels.lastIndexOf('rds');
  if (rds < 2) return undefined;
  for (const [at, suffixFrom] of [
    [rds - 1, rds + 1],
    [rds + 1, rds + 2],
  ] as const) {
    const region = labels[at];
    if (region !== undefined && at >= 2 && isRegion(region) && RDS_SUFFIX.test(labels.slice(suffixFrom).join('.'))) {
      return { region, partition: partitionOf(region) };
    }
  }
  return undefined;
}

/** Whether an RDS endpoint is an RDS Proxy: `name.proxy-id.region…`, or the same with an endpoint name in front. */
export function isRdsProxy(hostname: string): boolean {
  return parseRdsHostname(hostname) !== undefined && /^(?:[\w-]+\.){1,2}proxy-[\w-]+\./.test(canonical(hostname));
}

/** The name that a host name stands for without any look-up: of an RDS name, an address and `localhost`. */
export function settledName(hostname: string): string | undefined {
  const name = canonical(hostname);
  if (parseRdsHostname(name)) return name;
  return isIP(name) !== 0 || name === 'localhost' ? hostname : undefined;
}

/** Looks up the CNAME records of a name; rejects with a `code` as `node:dns` does. */
export type ResolveCname = (hostname: string) => Promise<readonly string[]>;

/**
 * The endpoint that a host name stands for: itself if it is an RDS name or an address, otherwise the first RDS name that its
 * CNAMEs lead to. IAM authentication does not support CNAMEs: the token must be signed for the RDS name, and the certificate
 * is issued to it. A name that does not lead to an RDS name is returned unchanged.
 */
export async function followCnames(hostname: string, resolveCname: ResolveCname): Promise<string> {
  const settled = settledName(hostname);
  if (settled !== undefined) return settled;
  let name = canonical(hostname);
  const seen: string[] = [];
  while (parseRdsHostname(name) === undefined) {
    if (seen.includes(name) || seen.length === MAX_CNAMES) {
      throw new RdsIamError(
        'ERR_RDS_IAM_ENDPOINT',
        `the CNAME chain of "${hostname}" never ends (${[...seen, name].join(' → ')}): fix the CNAME records, or use the RDS endpoint as the host name`,
        { details: { hostname } },
      );
    }
    seen.push(name);
    const next = await firstAlias(name, hostname, resolveCname);
    if (next === undefined) return hostname;
    name = canonical(next);
  }
  return name;
}

async function firstAlias(name: string, hostname: string, resolveCname: ResolveCname): Promise<string | undefined> {
  try {
    return (await resolveCname(name))[0];
  } catch (cause) {
    const code = (cause as { code?: unknown } | null)?.code;
    if (code === 'ENODATA' || code === 'ENOTFOUND') return undefined;
    throw new RdsIamError(
      'ERR_RDS_IAM_ENDPOINT',
      `could not look up the CNAME of "${name}" (${String(code ?? cause)}); if "${hostname}" is not a CNAME, set "resolveCname" to false`,
      { cause, details: { hostname } },
    );
  }
}

/** Checks an endpoint, for an adapter that wants to fail early. @throws RdsIamError `ERR_RDS_IAM_CONFIG` */
export function checkEndpoint({ hostname, port, username }: Endpoint): void {
  if (typeof hostname !== 'string' || hostname === '') {
    throw configError(
      'hostname',
      `is missing (got ${kindOf(hostname)}): give the RDS endpoint, such as mydb.abc123.eu-west-1.rds.amazonaws.com`,
    );
  }
  if (hostname.startsWith('/')) {
    throw configError(
      'hostname',
      'is a Unix socket, which carries no TLS and no IAM authentication: give the RDS endpoint',
    );
  }
  if (!/^[\w.:%-]+$/.test(hostname)) {
    throw configError(
      'hostname',
      'has characters that a host name cannot have: give the bare name, without scheme, port or path',
    );
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw configError('port', `must be a whole number from 1 to 65535, got ${kindOf(port)}`);
  }
  if (typeof username !== 'string' || username === '') {
    throw configError('username', `is missing (got ${kindOf(username)}): give the database user that logs in with IAM`);
  }
}

function canonical(hostname: string): string {
  const lower = hostname.toLowerCase();
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}
