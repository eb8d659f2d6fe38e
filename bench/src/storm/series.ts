import type { LoginEvent } from '@rds-iam/emulator';

/** The server's log of a storm. */
export interface Series {
  /** Logins that reached the server, refused or not. */
  readonly attempts: number;
  /** The maximum number of logins that reached the server in any one second, refused or not. */
  readonly busiestSecond: number;
  /** For each tenth of a second since the storm began. */
  readonly per100Ms: readonly LoginCount[];
}

export interface LoginCount {
  readonly admitted: number;
  readonly refused: number;
}

const BUCKET_MS = 100;

export function seriesOf(logins: readonly LoginEvent[], startedAtMs: number): Series {
  const per100Ms: { admitted: number; refused: number }[] = [];
  for (const { atMs, outcome } of logins) {
    const index = Math.floor((atMs - startedAtMs) / BUCKET_MS);
    while (per100Ms.length <= index) per100Ms.push({ admitted: 0, refused: 0 });
    const bucket = per100Ms[index];
    if (bucket) bucket[outcome === 'refused' ? 'refused' : 'admitted']++;
  }
  return { attempts: logins.length, busiestSecond: mostInOneSecond(logins.map(({ atMs }) => atMs)), per100Ms };
}

/** The same by the second, for display. */
export function perSecond(per100Ms: readonly LoginCount[]): LoginCount[] {
  const seconds = Array.from({ length: Math.ceil(per100Ms.length / 10) }, () => ({ admitted: 0, refused: 0 }));
  per100Ms.forEach(({ admitted, refused }, index) => {
    const second = seconds[Math.floor(index / 10)];
    if (!second) return;
    second.admitted += admitted;
    second.refused += refused;
  });
  return seconds;
}

function mostInOneSecond(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  let first = 0;
  let most = 0;
  sorted.forEach((at, index) => {
    while ((sorted[first] ?? at) <= at - 1_000) first++;
    most = Math.max(most, index - first + 1);
  });
  return most;
}
