// What each part of the tests takes, as its share of the time that all test files take together. A part that has grown past
// what the table in CONTRIBUTING.md allows fails a whole run: the tests stay something that one waits for.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Reporter, TestModule } from 'vitest/node';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The part that a file belongs to: a package, or a folder of `test`. */
export const partOf = (file: string): string => file.split('/').slice(0, 2).join('/');

/** The shares that a table allows, in percent: rows of `| part | share |`, whatever else is in them. */
export function allowedShares(page: string): ReadonlyMap<string, number> {
  const rows = page.matchAll(/^\| `((?:packages|test)\/[\w-]+)` \|.*?\| (\d+) % \|$/gm);
  return new Map([...rows].map(([, part = '', share]) => [part, Number(share)]));
}

/** What is wrong with these times: parts that take more than their share, or have none. */
export function judgeShares(times: ReadonlyMap<string, number>, allowed: ReadonlyMap<string, number>): string[] {
  const total = [...times.values()].reduce((sum, each) => sum + each, 0);
  return [...times].flatMap(([part, time]) => {
    const share = Math.round((time / total) * 100);
    const most = allowed.get(part);
    if (most === undefined)
      return [`${part} has no row in the table of CONTRIBUTING.md: it takes ${share} % of the time`];
    return share > most ? [`${part} takes ${share} % of the time, and may take ${most} %: see CONTRIBUTING.md`] : [];
  });
}

export default class SharesReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    if (process.env['CHECK_SHARES'] !== 'true') return;
    const times = new Map<string, number>();
    for (const module of modules) {
      const part = partOf(relative(root, module.moduleId));
      const { collectDuration, duration } = module.diagnostic();
      times.set(part, (times.get(part) ?? 0) + collectDuration + duration);
    }
    const total = [...times.values()].reduce((sum, each) => sum + each, 0);
    for (const [part, time] of [...times].sort(([, one], [, other]) => other - one)) {
      const share = Math.round((time / total) * 100);
      process.stdout.write(
        `${part.padEnd(24)} ${(time / 1_000).toFixed(0).padStart(5)} s ${String(share).padStart(3)} %\n`,
      );
    }
    const complaints = judgeShares(times, allowedShares(readFileSync(`${root}CONTRIBUTING.md`, 'utf8')));
    for (const complaint of complaints) process.stderr.write(`${complaint}\n`);
    if (complaints.length > 0) process.exitCode = 1;
  }
}
