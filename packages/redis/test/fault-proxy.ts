import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A relay to a server that can delay answers. */
export interface FaultProxy {
  readonly url: string;
  /** Holds back answers from now on. */
  hold(): void;
  /** Lets them pass again, oldest first. */
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
