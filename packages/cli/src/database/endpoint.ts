// What the name of an endpoint says of the database behind it.
import dns from 'node:dns/promises';
import { followCnames, parseRdsHostname } from '@rds-iam/core';
import { FailedError, UsageError } from '../exit-code.js';
import type { DatabaseKind } from './database.js';

/** Which part of which kind of database a name is the endpoint of. */
interface NamedByEndpoint {
  readonly kind: DatabaseKind | 'customEndpoint' | 'proxyEndpoint';
  readonly identifier: string;
}

/**
 * Reads what an endpoint's name says: `name.id.region.rds…` (instance), `name.cluster-id…`, `name.cluster-ro-id…`,
 * `name.cluster-custom-id…`, `name.proxy-id…`, `name.endpoint.proxy-id…`. Undefined for any other name.
 */
export function readEndpoint(hostname: string): NamedByEndpoint | undefined {
  if (parseRdsHostname(hostname) === undefined) return undefined;
  const [identifier = '', second = '', third = ''] = hostname.toLowerCase().split('.');
  if (second === 'endpoint' && third.startsWith('proxy-')) return { kind: 'proxyEndpoint', identifier };
  if (second.startsWith('proxy-')) return { kind: 'proxy', identifier };
  if (second.startsWith('cluster-custom-')) return { kind: 'customEndpoint', identifier };
  if (second.startsWith('cluster-')) return { kind: 'cluster', identifier };
  return { kind: 'instance', identifier };
}

/** Follows CNAMEs to an endpoint of RDS. */
export async function endpointOf(hostname: string): Promise<string> {
  const endpoint = await followCnames(hostname, (name) => dns.resolveCname(name));
  if (readEndpoint(endpoint) !== undefined) return endpoint;
  throw new UsageError(
    `${hostname} is no endpoint of RDS and leads to none: give one, as mydb.abc123.eu-west-1.rds.amazonaws.com`,
  );
}

/** Names are unique in an account and region only: one of the same name may be somebody else's. */
export function expectEndpoint(hostname: string, what: string, endpoints: readonly (string | undefined)[]): void {
  const known = endpoints.filter((each) => each !== undefined);
  if (known.length === 0 || known.some((each) => each.toLowerCase() === hostname)) return;
  throw new FailedError(
    `${what} of this account has another endpoint (${known.join(', ')}) than ${hostname}, which is of another account: give its --profile`,
  );
}
