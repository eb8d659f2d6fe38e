// Runs the tests: all of them, or those of the packages and parts that are named, as in `pnpm test pg faults`. Whatever
// begins with a dash, and what no package and no part is called, goes to vitest as it is.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2).map((arg) => {
  const folder = ['packages', 'test'].map((kind) => `${kind}/${arg}/`).find((each) => existsSync(`${root}${each}`));
  return /^[\w-]+$/.test(arg) && !arg.startsWith('-') && folder ? folder : arg;
});
const isWhole = args.every((arg) => arg.startsWith('-'));
const { status } = spawnSync('vitest', ['run', ...args], {
  stdio: 'inherit',
  env: { ...process.env, ...(isWhole && { CHECK_SHARES: 'true' }) },
});
process.exitCode = status ?? 1;
