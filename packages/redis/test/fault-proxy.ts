import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A way to a server, on which answers can be held up. */
export interface FaultProxy {
  readonly url: string;
  /** From now on answers wait. */
  hold(): void;
  /** They go on, those that waited first. */
  release(): void;
}

export async function startFaultProxy(port: number): Promise<FaultProxy> {
  const downstreams = new Map<Socket, Socket>();
  let isHeld = false;
  const server = createServer((downstream) => {
    const upstream = connect(port, '127.0.0.1');
    downstreams.set(upstream, downstream);
    downstream.pipe(upstream).pipe(downstream);
    if (isHeld) upstream.unpipe(downstream);
    for (const [one, other] of [
      [upstream, downstream],
      [downstream, upstream],
    ] as const) {
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    for (const upstream of downstreams.keys()) upstream.destroy();
  });
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold() {
      isHeld = true;
      for (const [upstream, downstream] of downstreams) upstream.unpipe(downstream);
    },
    release() {
      isHeld = false;
      for (const [upstream, downstream] of downstreams) upstream.pipe(downstream);
    },
  };
}
