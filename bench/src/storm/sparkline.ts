import type { LoginCount } from './series.js';

const LEVELS = '▁▂▃▄▅▆▇█';

/** Logins per second in a line of text. A full block is twice the limit or more; a blank is none. */
export function sparkline(seconds: readonly LoginCount[], limit: number, which: keyof LoginCount): string {
  return seconds
    .map((second) => {
      if (second[which] === 0) return '·';
      const level = Math.ceil((second[which] / (2 * limit)) * LEVELS.length) - 1;
      return LEVELS[Math.min(level, LEVELS.length - 1)];
    })
    .join('');
}
