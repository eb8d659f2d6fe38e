// Builds the package in the current folder with plain tsc: CommonJS, and declarations for both module formats. The ES
// module of each entry point only names what the CommonJS one exports: a process that uses both formats, as many do
// without knowing, then has one copy, and Node.js loads one module in place of a dozen. A command line tool has no entry
// points, and so no ES modules and no declarations.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';

rmSync('dist', { recursive: true, force: true });
const tsc = (...args) => execFileSync('tsc', ['-p', 'tsconfig.build.json', ...args], { stdio: 'inherit' });
const { exports } = JSON.parse(readFileSync('package.json', 'utf8'));
const entries = Object.values(exports).filter((entry) => typeof entry !== 'string');
// What a comment tells a user is in the declarations; the rest is for readers of the sources.
tsc('--module', 'CommonJS', '--outDir', 'dist/cjs', '--declaration', 'false', '--removeComments');
writeFileSync('dist/cjs/package.json', '{"type":"commonjs"}\n');
if (entries.length > 0) {
  tsc('--emitDeclarationOnly', '--outDir', 'dist/types');
  const types = entries.map((entry) => relative('dist/cjs', entry.require.types));
  for (const name of reachable('dist/types', types)) {
    for (const format of ['cjs', 'esm']) cpSync(join('dist/types', name), join('dist', format, name));
  }
  rmSync('dist/types', { recursive: true });
}

const require = createRequire(resolve('package.json'));
for (const entry of entries) {
  const names = Object.keys(require(resolve(entry.require.default))).filter((name) => name !== '__esModule');
  const from = relative(dirname(entry.import.default), entry.require.default);
  mkdirSync(dirname(entry.import.default), { recursive: true });
  writeFileSync(join(entry.import.default), `export { ${names.sort().join(', ')} } from '${from}';\n`);
}

/** These declarations and those that they lead to: a user of the package can see no others. */
function reachable(folder, names) {
  const found = new Set(names);
  for (const name of found) {
    const text = readFileSync(join(folder, name), 'utf8');
    for (const [, specifier] of text.matchAll(/(?:\bfrom |\bimport(?: |\())'(\.[^']*)\.js'/g)) {
      found.add(join(dirname(name), `${specifier}.d.ts`));
    }
  }
  return found;
}
