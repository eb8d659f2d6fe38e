// Packs every package as it would be published and checks the tarballs: what is in them, that publint and
// are-the-types-wrong find nothing, that both module formats load and that what is installed stays small.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAX_ADDED_KB = 500;
const folder = mkdtempSync(join(tmpdir(), 'rds-iam-packages-'));
const run = (command, args, options = {}) =>
  execFileSync(command, args, { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', ...options });
const pnpm = (...args) => run(process.execPath, [process.env.npm_execpath, ...args]);

try {
  const tarballs = new Map();
  for (const name of readdirSync('packages')) {
    const manifest = JSON.parse(readFileSync(`packages/${name}/package.json`, 'utf8'));
    const { name: published, bin } = manifest;
    if (manifest.private) continue;
    pnpm('--filter', published, 'pack', '--pack-destination', folder);
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
    run('pnpm', ['exec', 'publint', '--strict', tarball], { stdio: 'inherit' });
    // A command line tool has no types, and nothing to import.
    if (!bin) run('pnpm', ['exec', 'attw', tarball], { stdio: 'inherit' });
  }
  checkInstalled(tarballs);
  checkTool(tarballs);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Installs the pg package with npm in an empty project, loads it both ways, and weighs what it adds. */
function checkInstalled(tarballs) {
  const project = join(folder, 'project');
  const install = (...what) =>
    run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', project, ...what]);
  execFileSync('mkdir', [project]);
  writeFileSync(join(project, 'package.json'), '{"name":"project","private":true}');
  install('pg', '@aws-sdk/rds-signer');
  const before = weigh(join(project, 'node_modules'));
  install(tarballs.get('@rds-iam/core'), tarballs.get('@rds-iam/pg'));
  const addedKb = Math.round((weigh(join(project, 'node_modules')) - before) / 1024);
  const show = 'if (typeof Pool !== "function") throw new Error("no Pool")';
  run(process.execPath, ['--input-type=module', '-e', `import { Pool } from "@rds-iam/pg"; ${show}`], { cwd: project });
  run(process.execPath, ['--input-type=commonjs', '-e', `const { Pool } = require("@rds-iam/pg"); ${show}`], {
    cwd: project,
  });
  process.stdout.write(`@rds-iam/pg and what it needs add ${addedKb} kB to pg and @aws-sdk/rds-signer\n`);
  if (addedKb > MAX_ADDED_KB) throw new Error(`@rds-iam/pg adds ${addedKb} kB, more than ${MAX_ADDED_KB} kB`);
}

/** Installs the command line tool with npm in an empty project, and runs it as npx does. */
function checkTool(tarballs) {
  const project = join(folder, 'tool');
  execFileSync('mkdir', [project]);
  writeFileSync(join(project, 'package.json'), '{"name":"tool","private":true}');
  const needed = ['@rds-iam/core', '@rds-iam/emulator', 'rds-iam'].map((name) => tarballs.get(name));
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', project, ...needed]);
  const npx = (...args) => run('npx', ['--no-install', 'rds-iam', ...args], { cwd: project, env });
  // Without pnpm's settings, which npm warns of.
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_config_/i.test(name));
  const keys = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'made up' };
  const env = { ...Object.fromEntries(inherited), ...keys };
  const hostname = 'mydb.abc123.eu-west-1.rds.amazonaws.com';
  const token = npx('token', `postgres://app@${hostname}`);
  if (!token.startsWith(`${hostname}:5432/?Action=connect`)) throw new Error('npx rds-iam token prints no token');
  const ran = npx('exec', `postgres://app@${hostname}`, '--', process.execPath, '-p', 'process.env.PGHOST');
  if (ran.trim() !== hostname) throw new Error('npx rds-iam exec does not run a program');
  if (npx('--help') !== npx('help')) throw new Error('npx rds-iam --help is not what the parser says');
  if (!npx('emulate', '--help').includes('--listen-port')) throw new Error('npx rds-iam emulate has no help');
}

function weigh(path) {
  const entry = statSync(path);
  return entry.isDirectory() ? readdirSync(path).reduce((sum, name) => sum + weigh(join(path, name)), 0) : entry.size;
}
