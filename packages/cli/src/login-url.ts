// The URL of a login, with the parameters of the program that will read it.
import type { Engine } from './settings.js';
import type { SignedLogin } from './sign.js';
import type { UrlReader } from './tool.js';

export interface UrlRequest {
  readonly engine: Engine;
  readonly reader: UrlReader;
  readonly database: string | undefined;
  /** The path of a file with a single root, since Prisma's engine reads only one. */
  readonly root: string | undefined;
}

/** Pure. No program that reads it sends the token without TLS, or to a server that was not verified. */
export function loginUrl({ hostname, port, username, token }: SignedLogin, request: UrlRequest): string {
  const { engine, database } = request;
  const host = hostname.includes(':') ? `[${hostname}]` : hostname;
  const login = `${encodeURIComponent(username)}:${encodeURIComponent(token)}@${host}:${port}`;
  const path = database === undefined ? '' : `/${encodeURIComponent(database)}`;
  return `${engine === 'postgres' ? 'postgresql' : 'mysql'}://${login}${path}${parameters(request)}`;
}

function parameters({ engine, reader, root = '' }: UrlRequest): string {
  if (engine === 'postgres') {
    // libpq reads the CA file from PGSSLROOTCERT, pg and postgres.js from NODE_EXTRA_CA_CERTS. In the URL, postgres.js would pass
    // it to the server as a setting.
    if (reader !== 'prisma-engine') return '?sslmode=verify-full';
    return query({ sslmode: 'require', sslaccept: 'strict', sslcert: root });
  }
  if (reader === 'dbmate') return query({ tls: 'true', allowCleartextPasswords: 'true' });
  // The mariadb connector, which Prisma's adapter uses, also reads what follows the #. It would send the token without TLS, or
  // over TLS before it has checked the certificate, so it must not send one at all.
  return `${query({ ssl: JSON.stringify({ verifyIdentity: true }), enableCleartextPlugin: 'true' })}#&restrictedAuth=none`;
}

function query(values: Readonly<Record<string, string>>): string {
  return `?${Object.entries(values)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')}`;
}
