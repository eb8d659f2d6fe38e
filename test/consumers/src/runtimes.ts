import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Project } from './project.js';

/** The oldest that we support, and the newest of each line since. */
export const RUNTIMES = ['20.19.0', '22', '24', '26'] as const;

/** Runtimes that are not Node.js, their newest: where their program is in the packages that they are made of, and its arguments. */
export const OTHER_RUNTIMES = [
  {
    runtime: 'Bun',
    name: `@oven/bun-linux-${process.arch === 'arm64' ? 'aarch64' : 'x64'}`,
    path: 'bin/bun',
    args: [],
  },
  { runtime: 'Deno', name: `@deno/linux-${process.arch}-glibc`, path: 'deno', args: ['run', '--allow-all'] },
] as const;

/** Node.js of this version, from the packages that the npm package `node` is made of; why not, where it cannot be had. */
export async function installRuntime(
  project: Project,
  version: string,
): Promise<{ readonly executable: string } | { readonly missing: string }> {
  const name = `node-${process.platform}-${process.arch}`;
  const alias = `node-${version}`;
  try {
    await project.install(`${alias}@npm:${name}@${version}`);
    const executable = join(project.folder, 'node_modules', alias, 'bin/node');
    return existsSync(executable) ? { executable } : { missing: `${name}@${version} has no bin/node` };
  } catch (error) {
    return { missing: `${name}@${version} cannot be installed: ${error instanceof Error ? error.message : error}` };
  }
}
