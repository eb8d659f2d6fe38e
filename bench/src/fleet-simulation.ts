// Simulates many processes that do not know of each other and each want one connection from a server that admits a limited
// number of logins per second, with different waits between the tries. No network and no clock: `pnpm bench fleetSimulation`
// prints the table in docs/throttling.md.
import type { Figure } from './figure.js';

interface Fleet {
  readonly processes: number;
  /** How many logins the server admits in any second. */
  readonly perSecond: number;
  readonly patienceMs: number;
  /** Whether a refused login also counts towards the limit. */
  readonly countsRefused: boolean;
  /** The longest waits after the first refusal, the second, and so on; the last one is repeated. */
  readonly waitsMs: readonly number[];
  /** The part of each wait that is random. 1 is full jitter, 0.5 equal jitter. */
  readonly jitter: number;
}

interface FleetOutcome {
  readonly lost: number;
  readonly lastMs: number;
  readonly loginsEach: number;
  readonly mostLogins: number;
}

const ROUND_TRIP_MS = 10;
const LEAST_LEFT_MS = 300;
const WINDOW_MS = 1_000;
/** The processes do not all start in the same millisecond. */
const START_WITHIN_MS = 50;

/** Pure except for `random`, which returns numbers from 0 to 1. */
function simulate(fleet: Fleet, random: () => number): FleetOutcome {
  const { processes, perSecond, patienceMs, countsRefused, waitsMs, jitter } = fleet;
  const byMs = new Map<number, number[]>();
  const at = (ms: number, process: number) => {
    const due = byMs.get(Math.floor(ms));
    if (due) due.push(process);
    else byMs.set(Math.floor(ms), [process]);
  };
  for (let process = 0; process < processes; process++) at(random() * START_WITHIN_MS, process);
  const logins = new Array<number>(processes).fill(0);
  const counted: number[] = [];
  let admitted = 0;
  let lastMs = 0;
  for (let ms = 0; ms <= patienceMs + ROUND_TRIP_MS; ms++) {
    for (const process of byMs.get(ms) ?? []) {
      const tries = (logins[process] ?? 0) + 1;
      logins[process] = tries;
      while ((counted[0] ?? ms) <= ms - WINDOW_MS) counted.shift();
      const isIn = counted.length < perSecond;
      if (isIn || countsRefused) counted.push(ms);
      if (isIn) {
        admitted++;
        lastMs = ms;
        continue;
      }
      const leftMs = patienceMs - ms - ROUND_TRIP_MS;
      if (leftMs < LEAST_LEFT_MS) continue;
      const longest = Math.min(waitsMs[Math.min(tries, waitsMs.length) - 1] ?? 0, leftMs);
      at(ms + ROUND_TRIP_MS + longest * (1 - jitter + jitter * random()), process);
    }
    byMs.delete(ms);
  }
  const all = logins.reduce((sum, count) => sum + count, 0);
  return {
    lost: processes - admitted,
    lastMs,
    loginsEach: all / processes,
    mostLogins: logins.reduce((most, count) => Math.max(most, count), 0),
  };
}

const SCHEDULES: readonly (readonly [name: string, waitsMs: readonly number[], jitter: number])[] = [
  ['three tries, base 0.1 s (before)', [100, 200], 1],
  ['full jitter, base 0.1 s, cap 5 s', [100, 200, 400, 800, 1_600, 3_200, 5_000], 1],
  ['full jitter, base 1 s, cap 8 s', [1_000, 2_000, 4_000, 8_000], 1],
  ['equal jitter, base 1 s, cap 8 s', [1_000, 2_000, 4_000, 8_000], 0.5],
  ['0.4 s, 0.9 s, then 8 s (ours)', [400, 900, 8_000], 1],
  ['0.4 s, 0.9 s, then 16 s', [400, 900, 16_000], 1],
];

const SIZES: readonly (readonly [processes: number, perSecond: number, patienceMs: number])[] = [
  [40, 20, 24_000],
  [200, 20, 24_000],
  [400, 20, 48_000],
  [2_000, 200, 24_000],
  [4_000, 200, 48_000],
  [10_000, 200, 96_000],
];

/** The figure is about our waits; the table goes to the terminal. */
export async function fleetSimulation(): Promise<Figure[]> {
  const rows = [
    '| waits | N | C | counted | lost | last in, of N/C | logins each (most) |',
    '|---|---|---|---|---|---|---|',
  ];
  let lost = 0;
  for (const [name, waitsMs, jitter] of SCHEDULES) {
    const cutOff = waitsMs.length === 2 ? 600 : undefined;
    for (const [processes, perSecond, patience] of SIZES) {
      for (const countsRefused of [false, true]) {
        const patienceMs = cutOff ?? patience;
        const seen = simulate({ processes, perSecond, patienceMs, countsRefused, waitsMs, jitter }, dice());
        const ratio = seen.lastMs / ((1_000 * processes) / perSecond);
        rows.push(
          `| ${name} | ${processes} | ${perSecond} | ${countsRefused ? 'all' : 'admitted'} | ${seen.lost} | ${ratio.toFixed(2)} | ${seen.loginsEach.toFixed(1)} (${seen.mostLogins}) |`,
        );
        if (name.includes('ours') && !countsRefused) lost += seen.lost;
      }
    }
  }
  process.stdout.write(`\n${rows.join('\n')}\n`);
  return [
    {
      figure: 'fleets of new processes, simulated: lost',
      measured: lost,
      unit: '',
      wanted: { below: 1 },
      beside: 'the table above',
    },
  ];
}

/** The same series in every run (a linear congruential generator). */
function dice(): () => number {
  let seed = 7_919;
  return () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
}
