// The URL of a login, in the words of those who read it.
import type { Engine } from './settings.js';
import type { SignedLogin } from './sign.js';
import type { UrlReader } from './tool.js';

export interface UrlRequest {
  readonly engine: Engine;
  readonly reader: UrlReader;
  readonly database: string | undefined;
  /** The path of a file with the one root that Prisma's engine reads. */
  readonly root: string | undefined;
}

/** Pure. Nobody who reads it sends the token without TLS, or to a server that nobody vouches for. */
export function loginUrl({ hostname, port, username, token }: SignedLogin, request: UrlRequest): string {
  const { engine, database } = request;
  const host = hostname.includes(':') ? `[${hostname}]` : hostname;
  const login = `${encodeURIComponent(username)}:${encodeURIComponent(token)}@${host}:${port}`;
  const path = database === undefined ? '' : `/${encodeURIComponent(database)}`;
  return `${engine === 'postgres' ? 'postgresql' : 'mysql'}://${login}${path}${parameters(request)}`;
}

function parameters({ engine, reader, root = '' }: UrlRequest): string {
  if (engine === 'postgres') {
    // libpq has the file of the CA from PGSSLROOTCERT, and pg and postgres.js have theirs from NODE_EXTRA_CA_CERTS: in the
    // URL, postgres.js would ask the server for a setting of that name.
    if (reader !== 'prisma-engine') return '?sslmode=verify-full';
    return query({ sslmode: 'require', sslaccept: 'strict', sslcert: root });
  }
  if (reader === 'dbmate') return query({ tls: 'true', allowCleartextPasswords: 'true' });
  // mariadb, which Prisma's adapter brings, reads beyond the #. It would send the token without TLS, and with TLS before it has
  // looked at the certificate: so it may not send one at all.
  return `${query({ ssl: JSON.stringify({ verifyIdentity: true }), enableCleartextPlugin: 'true' })}#&restrictedAuth=none`;
}

function query(values: Readonly<Record<string, string>>): string {
  return `?${Object.entries(values)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')}`;
}
