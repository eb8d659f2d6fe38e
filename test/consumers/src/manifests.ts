import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const packages = fileURLToPath(new URL('../../../packages', import.meta.url));

/** With the range that one of our packages is developed with, in a form for package managers. */
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

/** Whether a package's own tests run with this version of a peer, under another name. */
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

export async function manifest(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(packages, folder, 'package.json'), 'utf8'));
}
