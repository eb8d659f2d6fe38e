import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { minVersion, satisfies, subset } from 'semver';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));

interface Manifest {
  readonly name: string;
  readonly engines?: { readonly node?: string };
  readonly dependencies?: Readonly<Record<string, string>>;
}

const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
const packages = readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name));
const { engines } = manifestOf(root);
const floor = engines?.node ?? '';

/** Where a dependency is installed, by Node.js's search from the folder of the package that depends on it. */
function installed(name: string, from: string): string {
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return realpathSync(candidate);
  }
  throw new Error(`${name}, which ${from} depends on, is not installed`);
}

test('every package states the same oldest Node.js, and so does the README', () => {
  for (const folder of packages) expect(manifestOf(folder).engines, folder).toEqual({ node: floor });
  expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain(`Node.js \`${floor}\``);
});

test('the consumers of the packed packages run on it', () => {
  const runtimes = readFileSync(join(root, 'test/consumers/src/runtimes.ts'), 'utf8');
  const oldest = minVersion(floor)?.version ?? '';
  expect(runtimes).toContain(`'${oldest.replace(/\.0$/, '')}`);
});

test('all dependencies, at any depth, run on it: if not, it is time to raise it', () => {
  const seen = new Set<string>();
  const tooNew: string[] = [];
  const visit = (folder: string) => {
    if (seen.has(folder)) return;
    seen.add(folder);
    const { name, engines, dependencies = {} } = manifestOf(folder);
    const wanted = engines?.node;
    if (wanted !== undefined && !subset(floor, wanted) && !satisfies(minVersion(floor) ?? '', wanted)) {
      tooNew.push(`${name} wants Node.js ${wanted}`);
    }
    for (const dependency of Object.keys(dependencies)) visit(installed(dependency, folder));
  };
  for (const folder of packages) visit(realpathSync(folder));
  expect(seen.size).toBeGreaterThan(50);
  expect(tooNew).toEqual([]);
});
