// A release up to the point where it would be published, in a copy of the work tree as it stands: the versions and the
// changelogs, the build, the tarballs, and what somebody does first who installs them. Nothing of it is left behind.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Engine, provideServer } from '@rds-iam/test-servers';

const exec = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const programs = fileURLToPath(new URL('../programs', import.meta.url));
const SMOKE: readonly (readonly [engine: Engine, ...programs: string[]])[] = [
  ['postgres', 'pg.mjs', 'pg.cjs'],
  ['mysql', 'mysql2.mjs', 'mysql2.cjs'],
];

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const folder = await mkdtemp(join(tmpdir(), 'rds-iam-rehearsal-'));
const treeBefore = await workTree();
try {
  const copy = await step('copied the work tree', () => copyTree(join(folder, 'repository')));
  await step('installed its dependencies', () => pnpm(copy, 'install', '--frozen-lockfile', '--prefer-offline'));
  const version = await step('made the next version and its changelogs', () => makeVersion(copy));
  await step('the pull request of the version would pass lint', () => pnpm(copy, 'run', 'lint'));
  const tarballs = await step('built and packed every package', () => packCopy(copy));
  for (const [name, tarball] of tarballs) await checkTarball(name, tarball, version);
  const project = await step('installed the tarballs with npm', () => installAll(tarballs));
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

/** All that is not ignored, also what is not committed yet, as the only commit of a repository of its own. */
async function copyTree(copy: string): Promise<string> {
  const { stdout } = await exec('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  const { stdout: deleted } = await exec('git', ['ls-files', '-z', '--deleted'], { cwd: root });
  const gone = new Set(deleted.split('\0'));
  for (const file of stdout.split('\0').filter((name) => name && !gone.has(name))) {
    await mkdir(dirname(join(copy, file)), { recursive: true });
    await cp(join(root, file), join(copy, file), { verbatimSymlinks: true });
  }
  const git = (...args: string[]) =>
    run(copy, 'git', ['-c', 'user.name=rehearsal', '-c', 'user.email=rehearsal@example.com', ...args]);
  await git('init', '--quiet', '--initial-branch=main');
  await git('add', '--all');
  await git('-c', 'commit.gpgsign=false', 'commit', '--quiet', '--no-verify', '--message=rehearsal');
  return copy;
}

async function makeVersion(copy: string): Promise<string> {
  const published = await readdir(join(copy, 'packages'));
  const before = await readManifest(join(copy, 'packages/core/package.json'));
  await pnpm(copy, 'run', 'version-packages');
  const changesets = (await readdir(join(copy, '.changeset'))).filter(
    (name) => !/^(README\.md|config\.json)$/.test(name),
  );
  if (changesets.length > 0) throw new Error(`these changesets are still there: ${changesets.join(', ')}`);
  const { version } = await readManifest(join(copy, 'packages/core/package.json'));
  // Between a release and the first change after it there is nothing to release.
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

async function packCopy(copy: string): Promise<ReadonlyMap<string, string>> {
  const into = join(folder, 'tarballs');
  await mkdir(into);
  // That of the copy, which packs what it stands beside.
  const { packAll }: typeof import('../../consumers/src/tarballs.js') = await import(
    join(copy, 'test/consumers/src/tarballs.ts')
  );
  return packAll(into);
}

/** What pnpm has made of a manifest: ranges that npm understands, of the new version between our own packages. */
async function checkTarball(name: string, tarball: string, version: string): Promise<void> {
  const { stdout } = await exec('tar', ['-xzOf', tarball, 'package/package.json']);
  const { dependencies = {}, ...manifest }: Manifest = JSON.parse(stdout);
  if (manifest.version !== version) throw new Error(`${name} was packed as ${manifest.version}, not ${version}`);
  for (const [dependency, range] of Object.entries(dependencies)) {
    if (/^(workspace|catalog):/.test(range)) throw new Error(`${name} depends on ${dependency}@${range}`);
    if (!/^(@rds-iam\/|rds-iam$)/.test(dependency)) continue;
    if (range !== `^${version}`) throw new Error(`${name} depends on ${dependency}@${range}, not ^${version}`);
  }
}

async function installAll(tarballs: ReadonlyMap<string, string>): Promise<string> {
  const project = join(folder, 'project');
  await cp(programs, project, { recursive: true });
  await writeFile(join(project, 'package.json'), '{ "name": "project", "private": true }\n');
  // Nothing is published yet, so what these depend on is named, too.
  const wanted = ['@rds-iam/core', '@rds-iam/emulator', '@rds-iam/pg', '@rds-iam/mysql2', 'rds-iam'];
  const files = wanted.map((name) => tarballs.get(name) ?? '');
  await run(project, 'npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...files, 'pg', 'mysql2']);
  const { stdout } = await exec('npm', ['ls', '--all', '--json'], { cwd: project });
  if (/"problems"/.test(stdout)) throw new Error(`npm finds something wrong in what it installed: ${stdout}`);
  return project;
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

/** The pnpm that runs this, if one does. */
async function pnpm(cwd: string, ...args: string[]): Promise<void> {
  const own = process.env['npm_execpath'];
  if (own && /pnpm/.test(own)) await run(cwd, process.execPath, [own, ...args]);
  else await run(cwd, 'npx', ['--yes', 'pnpm@10', ...args]);
}

async function run(cwd: string, command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  // Without the settings that pnpm gives to the programs that it runs, of which npm warns.
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_(config|package|lifecycle)_/i.test(name));
  const env = { ...Object.fromEntries(inherited), NO_COLOR: '1', ...environment };
  try {
    return (await exec(command, args, { cwd, env, maxBuffer: 2 ** 26, timeout: 300_000 })).stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr || error}`);
  }
}

/** What git says of the work tree. */
async function workTree(): Promise<string> {
  return (await exec('git', ['status', '--porcelain'], { cwd: root })).stdout;
}

async function readManifest(path: string): Promise<Manifest> {
  return JSON.parse(await readFile(path, 'utf8'));
}
