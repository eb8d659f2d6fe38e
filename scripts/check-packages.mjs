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
    const { name: published, private: isPrivate } = JSON.parse(readFileSync(`packages/${name}/package.json`, 'utf8'));
    if (isPrivate) continue;
    pnpm('--filter', published, 'pack', '--pack-destination', folder);
    const tarball = join(
      folder,
      readdirSync(folder).find((file) => file.includes(`rds-iam-${name}-`)),
    );
    tarballs.set(published, tarball);
    const files = run('tar', ['-tzf', tarball]).split('\n').filter(Boolean);
    for (const wanted of [
      'package/README.md',
      'package/LICENSE',
      'package/dist/esm/index.js',
      'package/dist/cjs/index.d.ts',
    ]) {
      if (!files.includes(wanted)) throw new Error(`${published}: ${wanted} is not in the tarball`);
    }
    const stray = files.find((file) => !/^package\/dist\/|^package\/(?:package\.json|README\.md|LICENSE)$/.test(file));
    if (stray) throw new Error(`${published}: ${stray} has no business in the tarball`);
    run('pnpm', ['exec', 'publint', '--strict', tarball], { stdio: 'inherit' });
    run('pnpm', ['exec', 'attw', tarball], { stdio: 'inherit' });
  }
  checkInstalled(tarballs);
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

function weigh(path) {
  const entry = statSync(path);
  return entry.isDirectory() ? readdirSync(path).reduce((sum, name) => sum + weigh(join(path, name)), 0) : entry.size;
}
