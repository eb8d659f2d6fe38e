import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pnpm } from '@rds-iam/test-servers/vitest-built';

const packages = fileURLToPath(new URL('../../../packages', import.meta.url));

/** Packs every package, all of which are built, as it would be published; the tarballs' paths by the packages' names. */
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

/** With the range that a package of ours is developed with, as npm takes it. */
export async function withRange(folder: string, dependency: string): Promise<string> {
  const { devDependencies = {} } = await manifest(folder);
  const range = devDependencies[dependency];
  return range === undefined || range === 'catalog:' ? dependency : `${dependency}@${range}`;
}

/** The lower ends of the range of a package's peer, one for each of its alternatives, the oldest first. */
export async function oldestPeers(folder: string, peer: string): Promise<readonly string[]> {
  const { peerDependencies = {} } = await manifest(folder);
  const versions = peerDependencies[peer]?.match(/\d+\.\d+\.\d+[\w.-]*/g) ?? [];
  return versions.map((version) => `${peer}@${version}`);
}

/** Whether a package's own tests run with this version of a peer, which then has another name there. */
export async function isTested(folder: string, version: string): Promise<boolean> {
  const { devDependencies = {} } = await manifest(folder);
  return Object.values(devDependencies).includes(`npm:${version}`);
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

async function manifest(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(packages, folder, 'package.json'), 'utf8'));
}
