import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { packAll } from './tarballs.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The paths of the tarballs by the packages' names. */
    readonly tarballs: Readonly<Record<string, string>>;
  }
}

/** Packs once for all test files: two that pack at the same time would build over each other. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'rds-iam-packed-'));
  project.provide('tarballs', Object.fromEntries(await packAll(folder)));
  return () => rm(folder, { recursive: true, force: true });
}
