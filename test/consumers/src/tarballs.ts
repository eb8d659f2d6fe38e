import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pnpm } from '@rds-iam/test-servers/vitest-built';
import { manifest, packages } from './manifests.js';

/** Packs every package, all built already, as it would be published. @returns the paths of the tarballs by package name */
export async function packAll(into: string): Promise<ReadonlyMap<string, string>> {
  await pnpm(
    '--recursive',
    '--filter',
    './packages/*',
    '--config.ignore-scripts=true',
    'pack',
    '--pack-destination',
    into,
  );
  const files = await readdir(into);
  const tarballs = new Map<string, string>();
  for (const folder of await readdir(packages)) {
    const { name, version } = await manifest(folder);
    const file = `${name.replace('@', '').replace('/', '-')}-${version}.tgz`;
    if (!files.includes(file)) throw new Error(`${name} was not packed: ${files.join(', ')}`);
    tarballs.set(name, join(into, file));
  }
  return tarballs;
}
