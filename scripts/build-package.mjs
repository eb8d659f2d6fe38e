// Builds the package in the current folder with plain tsc: CommonJS, and declarations for both module formats. The ES
// module of each entry point only names what the CommonJS one exports: a process that uses both formats, as many do
// without knowing, then has one copy, and Node.js loads one module in place of a dozen.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';

rmSync('dist', { recursive: true, force: true });
const tsc = (...args) => execFileSync('tsc', ['-p', 'tsconfig.build.json', ...args], { stdio: 'inherit' });
tsc('--module', 'CommonJS', '--outDir', 'dist/cjs');
writeFileSync('dist/cjs/package.json', '{"type":"commonjs"}\n');
tsc('--emitDeclarationOnly', '--outDir', 'dist/esm');

const require = createRequire(resolve('package.json'));
const { exports } = JSON.parse(readFileSync('package.json', 'utf8'));
for (const entry of Object.values(exports)) {
  if (typeof entry === 'string') continue;
  const names = Object.keys(require(resolve(entry.require.default))).filter((name) => name !== '__esModule');
  const from = relative(dirname(entry.import.default), entry.require.default);
  mkdirSync(dirname(entry.import.default), { recursive: true });
  writeFileSync(join(entry.import.default), `export { ${names.sort().join(', ')} } from '${from}';\n`);
}
