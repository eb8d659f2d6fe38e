import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

/** A server that is after tokens. */
export interface RecordingServer extends AsyncDisposable {
  readonly port: number;
  /** Every byte that arrived, in clear: encrypted bytes are decrypted. */
  received(): string;
}

/** Starts one on a free port on loopback; `serve` gets each connection, and must record what it reads. */
export async function startRecordingServer(
  serve: (socket: Socket, record: (chunk: Buffer) => void) => void,
): Promise<RecordingServer> {
  const chunks: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    serve(socket, (chunk) => chunks.push(chunk));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    received: () => Buffer.concat(chunks).toString('latin1'),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
