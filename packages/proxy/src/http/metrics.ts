import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ProxyEvent } from '../event.js';
import type { Answer } from '../live-page/server.js';

/** The metrics for Prometheus. */
export interface Metrics {
  take(event: ProxyEvent): void;
  scrape(): Promise<Answer>;
}

/** @param now - returns the current numbers */
export function createMetrics(now: () => { readonly connected: number; readonly admitted: number }): Metrics {
  // Not prom-client's default registry, which is global to the process.
  const registers = [new Registry()] as const;
  const [registry] = registers;
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      ...{ name, help, registers: [...registers] },
      collect() {
        this.set(value());
      },
    });
  gauge('rds_iam_proxy_clients_connected', 'Clients that are connected, logged in or not.', () => now().connected);
  gauge('rds_iam_proxy_clients_admitted', 'Clients that are logged in, or about to be.', () => now().admitted);
  const logins = new Counter({
    ...{ name: 'rds_iam_proxy_logins_total', help: 'Clients that were logged in.' },
    ...{ labelNames: ['endpoint', 'username'] as const, registers: [...registers] },
  });
  const refusals = new Counter({
    ...{ name: 'rds_iam_proxy_refusals_total', help: 'Logins and changes of user that were refused, by reason.' },
    // Not by user: a refused client may have made up the name.
    ...{ labelNames: ['endpoint', 'reason', 'code'] as const, registers: [...registers] },
  });
  const seconds = new Histogram({
    ...{
      name: 'rds_iam_proxy_login_duration_seconds',
      help: 'From the connection of a client to the end of its login.',
    },
    ...{ labelNames: ['endpoint'] as const, buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] },
    registers: [...registers],
  });
  const bytes = new Counter({
    ...{ name: 'rds_iam_proxy_bytes_total', help: 'Of connections that have ended: sent by clients, and to them.' },
    ...{ labelNames: ['endpoint', 'direction'] as const, registers: [...registers] },
  });
  return {
    take(event) {
      const endpoint = `${event.hostname}:${event.port}`;
      switch (event.type) {
        case 'login':
          logins.inc({ endpoint, username: event.username ?? '' });
          seconds.observe({ endpoint }, event.durationMs / 1_000);
          break;
        case 'refusal':
          refusals.inc({ endpoint, reason: event.reason, code: event.code ?? '' });
          break;
        case 'logout':
          bytes.inc({ endpoint, direction: 'in' }, event.bytesIn);
          bytes.inc({ endpoint, direction: 'out' }, event.bytesOut);
      }
    },
    scrape: async () => ({ type: registry.contentType, body: await registry.metrics() }),
  };
}
