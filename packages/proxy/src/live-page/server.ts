import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { page } from './page.js';
import type { LiveState } from './state.js';

/** The response for a path. `isGood` is for health checks: 200 or 503. */
export interface Answer {
  readonly isGood?: boolean;
  readonly type: string;
  readonly body: string;
}

/** The address of the HTTP port. */
export interface HttpAddress {
  readonly address: string;
  readonly port: number;
}

/** A running HTTP port. `await using` closes it. */
export interface LivePage extends HttpAddress, AsyncDisposable {
  /** Ends the server and its connections. */
  close(): Promise<void>;
}

/**
 * Serves a page that shows a state live, and other routes. It is read-only: no request changes anything.
 *
 * @param routes - other paths, such as `/metrics`
 * @throws the error of `listen`, such as EADDRINUSE
 */
export async function serveLivePage(
  at: HttpAddress,
  state: () => LiveState,
  routes: Readonly<Record<string, () => Answer | Promise<Answer>>> = {},
): Promise<LivePage> {
  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    if (request.method !== 'GET' && request.method !== 'HEAD') return end(response, 405, 'text/plain', 'GET only\n');
    if (path === '/') return endWithPage(response);
    const route = path === '/state' ? () => json(state()) : Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (!route) return end(response, 404, 'text/plain', 'there is no such page\n');
    void answer(response, route);
  });
  server.maxConnections = 200;
  server.listen(at.port, at.address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return { address: at.address, port, close, [Symbol.asyncDispose]: close };
}

const json = (value: unknown): Answer => ({ type: 'application/json', body: JSON.stringify(value) });

async function answer(response: ServerResponse, route: () => Answer | Promise<Answer>): Promise<void> {
  try {
    const { isGood = true, type, body } = await route();
    end(response, isGood ? 200 : 503, type, body);
  } catch {
    end(response, 500, 'text/plain', 'a fault of this program\n');
  }
}

function endWithPage(response: ServerResponse): void {
  const nonce = randomBytes(16).toString('base64');
  const own = `'nonce-${nonce}'`;
  response.setHeader(
    'Content-Security-Policy',
    `default-src 'none'; script-src ${own}; style-src ${own}; style-src-attr 'unsafe-inline'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'`,
  );
  end(response, 200, 'text/html; charset=utf-8', page(nonce));
}

function end(response: ServerResponse, status: number, type: string, body: string): void {
  response.setHeader('Content-Type', type);
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.statusCode = status;
  response.end(body);
}
