import { createRdsIam } from '@rds-iam/core';
import { mysql, postgres } from '@rds-iam/core/adapter';
import type { Figure } from './figure.js';
import { CREDENTIALS, ENDPOINT } from './login.js';
import { median } from './statistics.js';

const BATCHES = 100;
const CALLS = 100;

/** The cost of `connect` itself: around an `open` that resolves at once, sequentially. */
export async function connectOverhead(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const engine of [postgres, mysql]) {
    // A limit that is never reached, to measure the arithmetic and not the waiting.
    const iam = createRdsIam({ credentials: CREDENTIALS, maxConnectionsPerSecond: 100_000 });
    const signal = new AbortController().signal;
    const batches: number[] = [];
    for (let batch = 0; batch < BATCHES; batch++) {
      const startedAt = process.hrtime.bigint();
      for (let i = 0; i < CALLS; i++) await iam.connect(ENDPOINT, async () => i, { engine, signal });
      batches.push(Number(process.hrtime.bigint() - startedAt) / CALLS / 1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    figures.push({
      figure: `connect around an open that resolves at once, ${engine.name}`,
      measured: median(batches),
      unit: 'µs',
      wanted: { below: 60 },
      beside: `median of ${BATCHES} batches`,
    });
  }
  return figures;
}
