import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { RdsIamEvents } from '@rds-iam/core';
import type { Clock } from '../clock.js';
import type { ProxyEvent } from '../event.js';
import { type Answer, type HttpAddress, type LivePage, serveLivePage } from '../live-page/server.js';
import { createMetrics } from './metrics.js';
import { Monitor, signedAtMs } from './monitor.js';

/** What the HTTP port needs to know about the proxy at the time of a request. */
export interface Now {
  readonly connected: number;
  readonly admitted: number;
  readonly isStarted: boolean;
  readonly isDraining: boolean;
  readonly isFull: boolean;
}

/** The HTTP port of a proxy: health checks, metrics, and a live page. */
export interface Http {
  readonly address: HttpAddress;
  take(event: ProxyEvent): void;
  tokenUsed(endpoint: string, username: string, token: string): void;
  close(): Promise<void>;
}

const SLOWED = 'rds-iam:admission:slowed' satisfies keyof RdsIamEvents;

/** @param limit - of new connections per second, if one is known in advance */
export async function startHttp(
  clock: Clock,
  at: HttpAddress,
  limit: number | undefined,
  now: () => Now,
): Promise<Http> {
  const monitor = new Monitor(clock, limit);
  const metrics = createMetrics(now);
  const status = () => {
    const { isStarted, isDraining, isFull } = now();
    return isDraining ? 'draining' : isFull ? 'full' : isStarted ? 'ready' : 'starting';
  };
  const check = (isGood: boolean): Answer => ({ isGood, type: 'text/plain', body: `${status()}\n` });
  const page: LivePage = await serveLivePage(
    at,
    () => monitor.state({ status: status(), connected: now().connected }),
    {
      '/startup': () => check(now().isStarted),
      '/liveness': () => check(true),
      '/readiness': () => check(status() === 'ready'),
      '/metrics': metrics.scrape,
    },
  );
  const slowed = (event: unknown) => monitor.limitFound((event as RdsIamEvents[typeof SLOWED]).connectionsPerSecond);
  subscribe(SLOWED, slowed);
  return {
    address: { address: page.address, port: page.port },
    take(event) {
      monitor.take(event);
      metrics.take(event);
    },
    tokenUsed: (endpoint, username, token) => monitor.tokenUsed(endpoint, username, signedAtMs(token)),
    async close() {
      unsubscribe(SLOWED, slowed);
      await page.close();
    },
  };
}
