// What an endpoint's name says about the database behind it.
import dns from 'node:dns/promises';
import { followCnames, parseRdsHostname } from '@rds-iam/core';
import { FailedError, UsageError } from '../exit-code.js';
import type { DatabaseKind } from './database.js';

/** The kind of database, and the part of it, that an endpoint belongs to. */
interface NamedByEndpoint {
  readonly kind: DatabaseKind | 'customEndpoint' | 'proxyEndpoint';
  readonly identifier: string;
}

/**
 * Parses an endpoint's name: `name.id.region.rds…` (instance), `name.cluster-id…`, `name.cluster-ro-id…`,
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

/** Follows CNAMEs to an RDS endpoint. */
export async function endpointOf(hostname: string): Promise<string> {
  const endpoint = await followCnames(hostname, (name) => dns.resolveCname(name));
  if (readEndpoint(endpoint) !== undefined) return endpoint;
  throw new UsageError(
    `${hostname} is not an RDS endpoint and does not lead to one: give one, such as mydb.abc123.eu-west-1.rds.amazonaws.com`,
  );
}

/** Names are unique only within an account and region: another account may have a database of the same name. */
export function expectEndpoint(hostname: string, what: string, endpoints: readonly (string | undefined)[]): void {
  const known = endpoints.filter((each) => each !== undefined);
  if (known.length === 0 || known.some((each) => each.toLowerCase() === hostname)) return;
  throw new FailedError(
    `${what} in this account has another endpoint (${known.join(', ')}); ${hostname} belongs to another account: give a --profile of that one`,
  );
}
