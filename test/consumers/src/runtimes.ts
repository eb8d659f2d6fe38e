import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The oldest version that we support, and the newest of each line since, from the packages behind the npm package `node`. */
export const RUNTIMES = ['20.19.0', '22', '24', '26'] as const;

export const runtimeAlias = (version: string): string => `node-${version}`;

/** The newest runtimes other than Node.js: where their program is in their packages, and its arguments. */
export const OTHER_RUNTIMES = [
  {
    runtime: 'Bun',
    name: `@oven/bun-linux-${process.arch === 'arm64' ? 'aarch64' : 'x64'}`,
    path: 'bin/bun',
    args: [],
  },
  { runtime: 'Deno', name: `@deno/linux-${process.arch}-glibc`, path: 'deno', args: ['run', '--allow-all'] },
] as const;

/** A runtime's program in the project of runtimes; undefined if it does not exist for this platform. */
export function executableOf(folder: string, name: string, path: string): string | undefined {
  const executable = join(folder, 'node_modules', name, path);
  return existsSync(executable) ? executable : undefined;
}
