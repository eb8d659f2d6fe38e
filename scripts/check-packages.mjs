// Packs every package as it would be published and checks the tarballs: what is in them and that it stays small, that the
// manifest says where it comes from, that publint and are-the-types-wrong find nothing, and that both module formats load.
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The maximum sizes in kB: of each tarball, and of its contents. Raise one only deliberately. */
const MAX_KB = {
  'rds-iam': [63, 220],
  // 100 of them packed, and 135 unpacked, are the certificates of the roots.
  '@rds-iam/core': [135, 400],
  '@rds-iam/emulator': [38, 155],
  '@rds-iam/knex': [8, 25],
  '@rds-iam/mysql2': [22, 96],
  '@rds-iam/pg': [19, 66],
  '@rds-iam/prisma': [8, 28],
  '@rds-iam/proxy': [30, 110],
  '@rds-iam/redis': [8, 23],
  '@rds-iam/sequelize': [8, 32],
  '@rds-iam/typeorm': [8, 23],
  '@rds-iam/wire': [23, 92],
};
const MAX_ADDED_KB = 540;
const folder = mkdtempSync(join(tmpdir(), 'rds-iam-packages-'));
const run = (command, args, options = {}) =>
  execFileSync(command, args, { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', ...options });
const pnpm = (...args) => run(process.execPath, [process.env.npm_execpath, ...args]);
const packing = ['--recursive', '--filter', './packages/*', '--config.ignore-scripts=true', 'pack'];

try {
  const tarballs = new Map();
  const checks = [];
  pnpm(...packing, '--pack-destination', folder);
  for (const name of readdirSync('packages')) {
    const manifest = JSON.parse(readFileSync(`packages/${name}/package.json`, 'utf8'));
    const { name: published, bin } = manifest;
    if (manifest.private) continue;
    checkOrigin(manifest, `packages/${name}`);
    const tarball = join(folder, `${published.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`);
    tarballs.set(published, tarball);
    const files = run('tar', ['-tzf', tarball]).split('\n').filter(Boolean);
    const programs = Object.values(bin ?? {}).map((path) => path.replace('./', 'package/'));
    const code = bin ? programs : ['package/dist/esm/index.js', 'package/dist/cjs/index.d.ts'];
    for (const wanted of ['package/README.md', 'package/LICENSE', ...code]) {
      if (!files.includes(wanted)) throw new Error(`${published}: ${wanted} is not in the tarball`);
    }
    const stray = files.find((file) => !/^package\/dist\/|^package\/(?:package\.json|README\.md|LICENSE)$/.test(file));
    if (stray) throw new Error(`${published}: ${stray} has no business in the tarball`);
    checkSize(published, tarball);
    checks.push(['publint', '--strict', tarball]);
    // A command line tool has no types and nothing to import.
    // Like their drivers, these export the same names by name and on the default export, so that both forms of import work.
    const isDriver = ['@rds-iam/pg', '@rds-iam/mysql2'].includes(published);
    const ignored = isDriver ? ['--ignore-rules', 'missing-export-equals'] : [];
    if (!bin) checks.push(['attw', '--profile', 'strict', tarball, ...ignored]);
  }
  await Promise.all([takeTurns(checks, 2), checkInstalled(tarballs), checkTool(tarballs)]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** What npm shows for a package, and what its provenance is checked against. */
function checkOrigin({ name, repository, homepage, bugs, publishConfig }, directory) {
  const of = repository?.url?.match(/^git\+(https:\/\/github\.com\/[^/]+\/[^/]+)\.git$/)?.[1];
  const wanted = { directory, homepage: `${of}/tree/main/${directory}#readme`, bugs: `${of}/issues`, provenance: true };
  const given = { directory: repository?.directory, homepage, bugs, provenance: publishConfig?.provenance };
  for (const [key, value] of Object.entries(wanted)) {
    if (given[key] !== value) throw new Error(`${name}: "${key}" must be ${value}, and is ${given[key]}`);
  }
}

function checkSize(name, tarball) {
  const unpacked = run('tar', ['-xzOf', tarball], { encoding: 'buffer', maxBuffer: 2 ** 25 }).length;
  for (const [index, what] of ['packed', 'unpacked'].entries()) {
    const kb = Math.ceil((index === 0 ? statSync(tarball).size : unpacked) / 1024);
    const most = MAX_KB[name]?.[index];
    process.stdout.write(`${name}: ${kb} kB ${what}, of at most ${most} kB\n`);
    if (!(kb <= most)) throw new Error(`${name} is ${kb} kB ${what}, more than ${most} kB`);
  }
}

/** Runs programs of the workspace, a number of them at a time. */
async function takeTurns(commands, atATime) {
  const left = [...commands];
  const work = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const [program, ...args] = next;
      process.stdout.write(await output(join('node_modules/.bin', program), args));
    }
  };
  await Promise.all(Array.from({ length: atATime }, work));
}

async function output(command, args, options = {}) {
  try {
    return (await promisify(execFile)(command, args, options)).stdout;
  } catch (error) {
    process.stderr.write(`${error.stdout}${error.stderr}`);
    throw error;
  }
}

/** Installs the pg package with npm in an empty project, loads it in both formats, and measures what it adds. */
async function checkInstalled(tarballs) {
  const project = join(folder, 'project');
  const install = (...what) =>
    output('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', project, ...what]);
  execFileSync('mkdir', [project]);
  writeFileSync(join(project, 'package.json'), '{"name":"project","private":true}');
  await install('pg', '@aws-sdk/rds-signer');
  const before = weigh(join(project, 'node_modules'));
  await install(...['core', 'wire', 'pg'].map((name) => tarballs.get(`@rds-iam/${name}`)));
  const addedKb = Math.round((weigh(join(project, 'node_modules')) - before) / 1024);
  const show = 'if (typeof Pool !== "function") throw new Error("no Pool")';
  run(process.execPath, ['--input-type=module', '-e', `import { Pool } from "@rds-iam/pg"; ${show}`], { cwd: project });
  run(process.execPath, ['--input-type=commonjs', '-e', `const { Pool } = require("@rds-iam/pg"); ${show}`], {
    cwd: project,
  });
  process.stdout.write(`@rds-iam/pg and what it needs add ${addedKb} kB to pg and @aws-sdk/rds-signer\n`);
  if (addedKb > MAX_ADDED_KB) throw new Error(`@rds-iam/pg adds ${addedKb} kB, more than ${MAX_ADDED_KB} kB`);
}

/** Installs the command line tool with npm in an empty project, and runs it like npx does. */
async function checkTool(tarballs) {
  const project = join(folder, 'tool');
  execFileSync('mkdir', [project]);
  writeFileSync(join(project, 'package.json'), '{"name":"tool","private":true}');
  const ours = ['core', 'wire', 'emulator', 'pg', 'mysql2', 'proxy'].map((name) => `@rds-iam/${name}`);
  const needed = [...ours, 'rds-iam'].map((name) => tarballs.get(name));
  await output('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', project, ...needed]);
  const npx = (...args) => output('npx', ['--no-install', 'rds-iam', ...args], { cwd: project, env });
  // Without pnpm's settings, which npm warns about.
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_config_/i.test(name));
  const keys = {
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'made up',
    AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
  };
  const env = { ...Object.fromEntries(inherited), ...keys };
  const hostname = 'mydb.abc123.eu-west-1.rds.amazonaws.com';
  const token = await npx('token', `postgres://app@${hostname}`);
  if (!token.startsWith(`${hostname}:5432/?Action=connect`)) throw new Error('npx rds-iam token prints no token');
  const ran = await npx('exec', `postgres://app@${hostname}`, '--', process.execPath, '-p', 'process.env.PGHOST');
  if (ran.trim() !== hostname) throw new Error('npx rds-iam exec does not run a program');
  if ((await npx('--help')) !== (await npx('help'))) throw new Error('npx rds-iam --help is not what the parser says');
  if (!(await npx('emulate', '--help')).includes('--listen-port')) throw new Error('npx rds-iam emulate has no help');
  // The doctor loads further packages for its checks; nothing listens on that port.
  const doctor = ['--no-install', 'rds-iam', 'doctor', '--timeout', '20', '--region', 'eu-west-1'];
  const examined = promisify(execFile)('npx', [...doctor, 'postgres://app@127.0.0.1:9'], { cwd: project, env });
  const { code } = await examined.catch((error) => error);
  if (code !== 1) throw new Error(`npx rds-iam doctor ends with ${code ?? 0}`);
}

function weigh(path) {
  const entry = statSync(path);
  return entry.isDirectory() ? readdirSync(path).reduce((sum, name) => sum + weigh(join(path, name)), 0) : entry.size;
}
