// Reports each part's share of the total time of all test files. A part that exceeds its share in the table of CONTRIBUTING.md
// fails a whole run, so that the tests stay fast enough to wait for.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Reporter, TestModule } from 'vitest/node';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The part that a file belongs to: a package, or a folder of `test`. */
export const partOf = (file: string): string => file.split('/').slice(0, 2).join('/');

/** The allowed shares in percent, from a table with rows of `| part | share |`, whatever other columns there are. */
export function allowedShares(page: string): ReadonlyMap<string, number> {
  const rows = page.matchAll(/^\| `((?:packages|test)\/[\w-]+)` \|.*?\| (\d+) % \|$/gm);
  return new Map([...rows].map(([, part = '', share]) => [part, Number(share)]));
}

/** The problems with these times: parts that take more than their share, or have none. */
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
