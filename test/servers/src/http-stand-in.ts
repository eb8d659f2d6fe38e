import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A request to a stand-in. */
export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** The common part of all stand-ins for AWS's HTTP services. */
export interface HttpStandIn extends AsyncDisposable {
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  /** Every request so far, including refused ones. */
  readonly requests: readonly ReceivedRequest[];
  /** The delay of responses, in milliseconds; with `Infinity` they never come. */
  delayMs: number;
  /** How far the `Date` of the answers is ahead of this machine's clock, in milliseconds. */
  dateOffsetMs: number;
  close(): Promise<void>;
}

/** Credentials that a stand-in returns, with the names of the AWS SDK for JavaScript. */
export interface IssuedCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}

/** Starts an HTTP server on a free port on loopback; `answer` gets each request with its complete body. */
export async function startHttpStandIn(
  answer: (request: ReceivedRequest, response: ServerResponse) => void | Promise<void>,
): Promise<HttpStandIn> {
  const requests: ReceivedRequest[] = [];
  const server = createServer(async (incoming, response) => {
    let body = '';
    for await (const chunk of incoming) body += String(chunk);
    const request = { method: incoming.method ?? '', path: incoming.url ?? '', headers: incoming.headers, body };
    requests.push(request);
    if (standIn.delayMs === Number.POSITIVE_INFINITY) return;
    if (standIn.delayMs > 0) await sleep(standIn.delayMs);
    response.setHeader('date', new Date(Date.now() + standIn.dateOffsetMs).toUTCString());
    await answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  const { port } = server.address() as AddressInfo;
  const standIn: HttpStandIn = {
    url: `http://127.0.0.1:${port}`,
    requests,
    delayMs: 0,
    dateOffsetMs: 0,
    close,
    [Symbol.asyncDispose]: close,
  };
  return standIn;
}
