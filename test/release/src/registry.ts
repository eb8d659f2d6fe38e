import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A version's manifest, as npm publishes it. */
export interface PublishedVersion {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly exports?: unknown;
  readonly bin?: unknown;
  readonly tarball: Buffer;
}

/** A package registry on loopback, which accepts what is published and forwards everything else to another registry. */
export interface Registry extends AsyncDisposable {
  /** Ends with a slash. */
  readonly url: string;
  /** By the names of the packages. */
  readonly published: ReadonlyMap<string, PublishedVersion>;
}

/** What npm sends; the response is the same without the attachments. */
interface Packument {
  readonly name: string;
  readonly versions: Readonly<Record<string, Omit<PublishedVersion, 'tarball'>>>;
  readonly _attachments?: Readonly<Record<string, { readonly data: string }>>;
}

/**
 * @param upstream - the URL of the registry that has everything else
 * @param isOurs - the packages that are never requested from there
 */
export async function startRegistry(upstream: string, isOurs: (name: string) => boolean): Promise<Registry> {
  const published = new Map<string, PublishedVersion>();
  const packuments = new Map<string, Packument>();
  const tarballs = new Map<string, Buffer>();
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '', 'http://localhost').pathname.slice(1));
    const json = (status: number, body: unknown) =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (request.method === 'PUT') {
      const { _attachments: attachments = {}, ...packument }: Packument = JSON.parse(await bodyOf(request));
      const [version] = Object.values(packument.versions);
      const [attached] = Object.entries(attachments);
      if (!version || !attached) return json(400, { error: 'nothing to publish' });
      const tarball = Buffer.from(attached[1].data, 'base64');
      packuments.set(packument.name, packument);
      tarballs.set(`${packument.name}/-/${attached[0]}`, tarball);
      published.set(packument.name, { ...version, tarball });
      return json(201, { ok: true });
    }
    const packument = packuments.get(path);
    if (packument) return json(200, packument);
    const tarball = tarballs.get(path);
    if (tarball) return void response.end(tarball);
    if (isOurs(path)) return json(404, { error: 'not_found' });
    response.writeHead(307, { location: new URL(request.url?.slice(1) ?? '', upstream).href }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    published,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
