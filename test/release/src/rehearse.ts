// Rehearses a release in a copy of the current work tree, to a registry on this machine: versions and changelogs, the build,
// publishing and tagging, and a user's first steps after installing. Nothing of it is left behind.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Engine, provideServer } from '@rds-iam/test-servers';
import { type PublishedVersion, type Registry, startRegistry } from './registry.js';

const exec = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const programs = fileURLToPath(new URL('../programs', import.meta.url));
const SMOKE: readonly (readonly [engine: Engine, ...programs: string[]])[] = [
  ['postgres', 'pg.mjs', 'pg.cjs'],
  ['mysql', 'mysql2.mjs', 'mysql2.cjs'],
];

const GIT_SETTINGS = [
  ['user.name', 'rehearsal'],
  ['user.email', 'rehearsal@example.com'],
  ['commit.gpgsign', 'false'],
  ['tag.gpgsign', 'false'],
] as const;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly publishConfig?: { provenance?: boolean };
}

const folder = await mkdtemp(join(tmpdir(), 'rds-iam-rehearsal-'));
const treeBefore = await workTree();
try {
  const copy = await step('copied the work tree', () => copyTree(join(folder, 'repository')));
  await step('installed its dependencies', () => pnpm(copy, ['install', '--frozen-lockfile', '--prefer-offline']));
  const version = await step('made the next version and its changelogs', () => makeVersion(copy));
  await step('the pull request of the version would pass lint', () => pnpm(copy, ['run', 'lint']));
  await using registry = await startRegistry(await configuredRegistry(), isOurs);
  await step('built, published and tagged every package', () => release(copy, version, registry));
  for (const each of registry.published.values()) await checkPublished(each, version);
  const project = await step('installed them with npm', () => installAll(registry));
  for (const [engine, ...names] of SMOKE) {
    await step(`logged in to ${engine} with ${names.join(' and ')}`, () => logIn(project, engine, names));
  }
  await step(`rds-iam --version says ${version}`, () => askVersion(project, version));
} finally {
  await rm(folder, { recursive: true, force: true });
}
if ((await workTree()) !== treeBefore) throw new Error('the rehearsal has changed the work tree');
process.stdout.write('release rehearsal: passed\n');

async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  const result = await work();
  process.stdout.write(`release rehearsal: ${name} (${((performance.now() - begun) / 1000).toFixed(1)} s)\n`);
  return result;
}

/** Everything that is not ignored, committed or not, as the only commit of a new repository. */
async function copyTree(copy: string): Promise<string> {
  const { stdout } = await exec('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  const { stdout: deleted } = await exec('git', ['ls-files', '-z', '--deleted'], { cwd: root });
  const gone = new Set(deleted.split('\0'));
  for (const file of stdout.split('\0').filter((name) => name && !gone.has(name))) {
    await mkdir(dirname(join(copy, file)), { recursive: true });
    await cp(join(root, file), join(copy, file), { verbatimSymlinks: true });
  }
  const git = (...args: string[]) => run(copy, 'git', args);
  await git('init', '--quiet', '--initial-branch=main');
  // Settings for this repository only, whatever the user's are; tags need a name, too.
  for (const [name, value] of GIT_SETTINGS) await git('config', name, value);
  await git('add', '--all');
  await git('commit', '--quiet', '--no-verify', '--message=rehearsal');
  return copy;
}

async function makeVersion(copy: string): Promise<string> {
  const published = await readdir(join(copy, 'packages'));
  const before = await readManifest(join(copy, 'packages/core/package.json'));
  await pnpm(copy, ['run', 'version-packages']);
  const changesets = (await readdir(join(copy, '.changeset'))).filter(
    (name) => !/^(README\.md|config\.json)$/.test(name),
  );
  if (changesets.length > 0) throw new Error(`these changesets are still there: ${changesets.join(', ')}`);
  const { version } = await readManifest(join(copy, 'packages/core/package.json'));
  // Right after a release there is nothing to release.
  const changed = version !== before.version;
  for (const name of published) {
    const manifest = await readManifest(join(copy, 'packages', name, 'package.json'));
    if (manifest.version !== version) throw new Error(`${manifest.name} is ${manifest.version}, core is ${version}`);
    if (!changed) continue;
    const changelog = await readFile(join(copy, 'packages', name, 'CHANGELOG.md'), 'utf8');
    if (!changelog.includes(`\n## ${version}\n`)) throw new Error(`${manifest.name}'s changelog has no ${version}`);
  }
  const source = await readFile(join(copy, 'packages/cli/src/version.ts'), 'utf8');
  if (!source.includes(`'${version}'`)) throw new Error(`packages/cli/src/version.ts does not say ${version}`);
  return version;
}

/** Like the workflow, except that npm only makes provenance in a workflow. */
async function release(copy: string, version: string, registry: Registry): Promise<void> {
  const names: string[] = [];
  for (const name of await readdir(join(copy, 'packages'))) {
    const file = join(copy, 'packages', name, 'package.json');
    const manifest = await readManifest(file);
    names.push(manifest.name);
    delete manifest.publishConfig?.provenance;
    await writeFile(file, JSON.stringify(manifest, null, 2));
  }
  await pnpm(copy, ['run', 'release'], await forNpm(registry));
  const tags = (await run(copy, 'git', ['tag'])).trim().split('\n');
  const missing = names.filter((name) => !tags.includes(`${name}@${version}`) || !registry.published.has(name));
  if (missing.length > 0) throw new Error(`these were not published and tagged: ${missing.join(', ')}`);
}

/** Checks a package as pnpm has published it: its built files, and ranges that npm understands. */
async function checkPublished(each: PublishedVersion, version: string): Promise<void> {
  const { name, dependencies = {}, tarball, exports, bin, ...manifest } = each;
  if (manifest.version !== version) throw new Error(`${name} was published as ${manifest.version}, not ${version}`);
  for (const [dependency, range] of Object.entries(dependencies)) {
    const wanted = isOurs(dependency) ? range === `^${version}` : !/^(workspace|catalog):/.test(range);
    if (!wanted) throw new Error(`${name} depends on ${dependency}@${range}`);
  }
  const file = join(folder, 'published.tgz');
  await writeFile(file, tarball);
  const files = (await run(folder, 'tar', ['-tzf', file])).split('\n');
  for (const wanted of ['README.md', 'LICENSE', ...filesNamed([exports, bin])]) {
    if (!files.includes(join('package', wanted))) throw new Error(`${name} was published without ${wanted}`);
  }
}

/** The files that an entry of a manifest names, at any depth. */
function filesNamed(entry: unknown): readonly string[] {
  if (typeof entry === 'string') return [entry];
  return entry && typeof entry === 'object' ? Object.values(entry).flatMap(filesNamed) : [];
}

function isOurs(name: string): boolean {
  return name === 'rds-iam' || name.startsWith('@rds-iam/');
}

async function installAll(registry: Registry): Promise<string> {
  const project = join(folder, 'project');
  await cp(programs, project, { recursive: true });
  await writeFile(join(project, 'package.json'), '{ "name": "project", "private": true }\n');
  const wanted = ['@rds-iam/emulator', '@rds-iam/pg', 'pg', '@rds-iam/mysql2', 'mysql2', 'rds-iam'];
  const npm = async (...args: string[]) => run(project, 'npm', args, await forNpm(registry));
  await npm('install', '--no-audit', '--no-fund', '--ignore-scripts', ...wanted);
  const problems: unknown = JSON.parse(await npm('ls', '--all', '--json')).problems;
  if (problems) throw new Error(`npm finds something wrong in what it installed: ${JSON.stringify(problems)}`);
  return project;
}

async function configuredRegistry(): Promise<string> {
  return (await run(root, 'npm', ['config', 'get', 'registry'])).trim().replace(/\/?$/, '/');
}

/** The environment that makes npm use a registry, with a token, because it requires one, and without the user's cache. */
async function forNpm({ url }: Registry): Promise<NodeJS.ProcessEnv> {
  const userconfig = join(folder, 'npmrc');
  await writeFile(userconfig, `${url.replace('http:', '')}:_authToken=rehearsal\n`);
  return { npm_config_registry: url, npm_config_userconfig: userconfig, npm_config_cache: join(folder, 'npm-cache') };
}

async function logIn(project: string, engine: Engine, names: readonly string[]): Promise<void> {
  await using server = await provideServer(engine, { print: () => {} });
  const { hostname, port, username, password } = server;
  const UPSTREAM = JSON.stringify({ hostname, port, username, password });
  for (const name of names) await run(project, process.execPath, [name], { UPSTREAM });
}

async function askVersion(project: string, version: string): Promise<void> {
  const said = (await run(project, 'npx', ['--no-install', 'rds-iam', '--version'])).trim();
  if (said !== version) throw new Error(`npx rds-iam --version says ${said}, not ${version}`);
}

/** The pnpm that runs this, if any. */
async function pnpm(cwd: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<void> {
  const own = process.env['npm_execpath'];
  if (own && /pnpm/.test(own)) await run(cwd, process.execPath, [own, ...args], environment);
  else await run(cwd, 'npx', ['--yes', 'pnpm@10', ...args], environment);
}

async function run(cwd: string, command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  // Without the settings that pnpm passes to the programs that it runs, which npm warns about.
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_(config|package|lifecycle)_/.test(name));
  const env = { ...Object.fromEntries(inherited), NO_COLOR: '1', ...environment };
  try {
    return (await exec(command, args, { cwd, env, maxBuffer: 2 ** 26, timeout: 300_000 })).stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr || error}`);
  }
}

/** Git's status of the work tree. */
async function workTree(): Promise<string> {
  return (await exec('git', ['status', '--porcelain'], { cwd: root })).stdout;
}

async function readManifest(path: string): Promise<Manifest> {
  return JSON.parse(await readFile(path, 'utf8'));
}
