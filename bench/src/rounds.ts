import { type Figure, formatNumber } from './figure.js';
import { median, pairRatios, quantile } from './statistics.js';

type Measured = Pick<Figure, 'measured' | 'unit' | 'middleHalf' | 'beside'>;

/**
 * Measures two things in alternating rounds, so that a disturbance affects both. The second one finds the server in another
 * state, so they take turns at being second. The figure is the median ratio of ours to the other.
 */
export async function ratioOfRates(
  rounds: number,
  ours: () => Promise<number>,
  other: () => Promise<number>,
): Promise<Measured> {
  const [oursPerSecond, otherPerSecond]: [number[], number[]] = [[], []];
  await ours();
  await other();
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) oursPerSecond.push(await ours());
    otherPerSecond.push(await other());
    if (round % 2 === 1) oursPerSecond.push(await ours());
  }
  const ratios = pairRatios(oursPerSecond, otherPerSecond);
  return {
    ...medianOf(ratios),
    beside: `${formatNumber(median(oursPerSecond))}/s to ${formatNumber(median(otherPerSecond))}/s, ${rounds} rounds`,
  };
}

/** The same for two durations in milliseconds. */
export async function ratioOfTimes(
  pairs: number,
  ours: () => Promise<number>,
  other: () => Promise<number>,
): Promise<Measured> {
  const [oursMs, otherMs]: [number[], number[]] = [[], []];
  // The first run of each brings its files into the system's cache.
  await ours();
  await other();
  for (let pair = 0; pair < pairs; pair++) {
    if (pair % 2 === 0) oursMs.push(await ours());
    otherMs.push(await other());
    if (pair % 2 === 1) oursMs.push(await ours());
  }
  const ratios = pairRatios(oursMs, otherMs);
  return {
    ...medianOf(ratios),
    beside: `${formatNumber(median(oursMs))} ms to ${formatNumber(median(otherMs))} ms, ${pairs} pairs`,
  };
}

function medianOf(ratios: readonly number[]) {
  const middleHalf = [quantile(ratios, 0.25), quantile(ratios, 0.75)] as const;
  return { measured: median(ratios), unit: '×', middleHalf };
}

/** How often something is done per second, measured over this many times. */
export async function perSecond(times: number, work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (times * 1_000) / (performance.now() - startedAt);
}
