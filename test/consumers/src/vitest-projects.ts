import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeInBackground } from '@rds-iam/test-servers/background';
import { pnpm, whenBuilt } from '@rds-iam/test-servers/vitest-built';
import type { TestProject } from 'vitest/node';
import { type Definition, definitions } from './definitions.js';
import { packAll } from './tarballs.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The marker of the installed packages; `wait-until-installed.ts` waits for it. */
    readonly installed: string;
    /** The folders of the projects in which the packed packages are installed, by the projects' names. */
    readonly projects: Readonly<Record<string, string>>;
  }
}

/**
 * Packs and installs once what all test files need. Each project has its own flat `node_modules`, like npm's, with only what it
 * asked for; the files are hard links, so twenty projects take seconds.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const root = await mkdtemp(join(tmpdir(), 'rds-iam-consumers-'));
  const folders: Record<string, string> = {};
  const named = await definitions();
  for (const name of Object.keys(named)) folders[name] = join(root, 'projects', name.replaceAll(/[^\w.-]/g, '_'));
  project.provide('projects', folders);
  const { marker, end } = makeInBackground(async () => {
    await whenBuilt(project);
    await install(
      root,
      Object.entries(named).map(([name, definition]) => [folders[name] as string, definition]),
    );
  });
  project.provide('installed', marker);
  return async () => {
    await end();
    await rm(root, { recursive: true, force: true });
  };
}

/** Packs our packages, creates the projects in their folders, and installs what they need. */
async function install(root: string, projects: readonly (readonly [folder: string, Definition])[]): Promise<void> {
  const packed = join(root, 'packed');
  await mkdir(packed);
  const tarballs = await packAll(packed);
  const overrides = Object.fromEntries([...tarballs].map(([name, path]) => [name, `file:${path}`]));
  const settings = {
    packages: ['projects/*'],
    sharedWorkspaceLockfile: false,
    nodeLinker: 'hoisted',
    autoInstallPeers: false,
    strictPeerDependencies: false,
    ignoreScripts: true,
    preferOffline: true,
    overrides,
  };
  // JSON is also YAML.
  await writeFile(join(root, 'pnpm-workspace.yaml'), JSON.stringify(settings));
  for (const [folder, definition] of projects) await create(folder, definition);
  await pnpm('--dir', root, 'install', '--no-frozen-lockfile');
}

/** A new, empty project, or one of `projects/`. */
async function create(path: string, { folder, ours, others = [], optional = [] }: Definition): Promise<void> {
  await mkdir(path, { recursive: true });
  const from = folder && fileURLToPath(new URL(`../projects/${folder}`, import.meta.url));
  if (from) await cp(from, path, { recursive: true });
  const begun = from ? JSON.parse(await readFile(join(from, 'package.json'), 'utf8')) : { type: 'module' };
  const dependencies = { ...begun.dependencies, ...ranges([...ours.map((name) => `@rds-iam/${name}`), ...others]) };
  const manifest = {
    ...begun,
    name: `consumer-${path.split('/').at(-1)?.toLowerCase()}`,
    private: true,
    dependencies,
    optionalDependencies: ranges(optional),
  };
  await writeFile(join(path, 'package.json'), JSON.stringify(manifest));
}

/** Ranges by name, of `name@range` or of `name`, whose newest it is. */
function ranges(specifiers: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    specifiers.map((specifier) => {
      const [, name = specifier, range = '*'] = specifier.match(/^(@?[^@]+)@(.+)$/) ?? [];
      return [name, range];
    }),
  );
}
