// Builds the package in the current folder: the entry points in package.json under "exports" and "bin", bundled into CommonJS,
// with a file for each entry point, one for shared code, and one for each part that is loaded on demand. The ES module of each
// entry point only re-exports the CommonJS one: a process that uses both formats, as many do without knowing, then has one
// copy. Declarations are those of tsc, for both module formats; a command line tool has none.
//
// `--lazy NAME…` names packages that only the users of one driver or framework have installed: the sources import them like
// any other package, and the built code loads each of them at its first use.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { rolldown } from 'rolldown';

const CJS = 'dist/cjs';
const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const { exports, bin = {}, dependencies = {}, peerDependencies = {} } = manifest;
const entries = Object.values(exports).filter((entry) => typeof entry !== 'string');
const tools = Object.values(bin);
const { values, positionals } = parseArgs({ options: { lazy: { type: 'boolean' } }, allowPositionals: true });
const lazyPackages = values.lazy ? positionals : [];
const lazyImports = new Set();

rmSync('dist', { recursive: true, force: true });
mkdirSync(CJS, { recursive: true });
writeFileSync(`${CJS}/package.json`, '{"type":"commonjs"}\n');
await bundle();
for (const tool of tools) {
  // Printing the help from a file takes a third of the time that loading the parser does.
  const help = execFileSync(process.execPath, [tool, '--help'], { encoding: 'utf8' });
  await bundle({ RENDERED_HELP: JSON.stringify(help) });
}
if (entries.length > 0) declare();
for (const entry of entries) nameExports(entry);
checkLazy();

async function bundle(define = {}) {
  const sources = [
    ...entries.map((entry) => [entry.require.default, entry['@rds-iam/source']]),
    ...tools.map((tool) => [tool, tool.replace(`${CJS}/`, 'src/').replace(/\.js$/, '.ts')]),
  ];
  const build = await rolldown({
    input: Object.fromEntries(sources.map(([built, source]) => [relative(CJS, built).replace(/\.js$/, ''), source])),
    // Other packages are not bundled, except for the compiler's helpers for newer syntax.
    external: (name) => !/^[./]|^@oxc-project\/runtime\//.test(name),
    platform: 'node',
    transform: { target: 'es2022', define },
    onLog: (_, log) => {
      throw new Error(log.message);
    },
  });
  const { output } = await build.write({
    dir: CJS,
    format: 'cjs',
    // A package that stands in for a driver has a default export as well as named ones.
    exports: 'named',
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    // The ES module loader is slower, so this package's own parts are required. Other packages stay an import, for which a bundler
    // makes a separate file.
    dynamicImportInCjs: false,
    // Comments for users are in the declarations; the rest are for readers of the sources.
    comments: false,
  });
  await build.close();
  for (const { fileName, code } of output) writeFileSync(join(CJS, fileName), loadWhereUsed(importOthers(code)));
  for (const { fileName, imports = [], dynamicImports = [] } of output) {
    for (const name of [...imports, ...dynamicImports]) checkImport(name, fileName, output);
  }
}

/** Every package that is loaded must be in package.json: the workspace has more installed than users do. */
function checkImport(name, importer, output) {
  if (isBuiltin(name) || output.some(({ fileName }) => fileName === name)) return;
  const [owner] = /^(?:@[^/]+\/)?[^/]+/.exec(name);
  if (owner in dependencies || owner in peerDependencies || owner === manifest.name) return;
  throw new Error(`${importer} loads ${name}, which package.json does not name`);
}

function declare() {
  execFileSync('tsc', ['-p', 'tsconfig.build.json', '--emitDeclarationOnly', '--outDir', 'dist/types'], {
    stdio: 'inherit',
  });
  const types = entries.map((entry) => relative(CJS, entry.require.types));
  for (const name of reachable('dist/types', types)) {
    for (const format of ['cjs', 'esm']) cpSync(join('dist/types', name), join('dist', format, name));
  }
  rmSync('dist/types', { recursive: true });
}

function nameExports(entry) {
  const names = Object.keys(createRequire(resolve('package.json'))(resolve(entry.require.default)));
  const from = relative(dirname(entry.import.default), entry.require.default);
  mkdirSync(dirname(entry.import.default), { recursive: true });
  const wanted = names.filter((name) => name !== '__esModule').sort();
  writeFileSync(entry.import.default, `export { ${wanted.join(', ')} } from '${from}';\n`);
}

function importOthers(code) {
  return code.replace(
    /Promise\.resolve\(\)\.then\(\(\) => (?:\w+\.)?__toESM\(require\(("@?[^":]+")\), 1\)\)/g,
    'import($1)',
  );
}

/** `require` with a literal at each use, so that a bundler finds the package. */
function loadWhereUsed(code) {
  const names = new Map();
  const rest = code.replace(/^let (\w+) = require\("([^"]+)"\);\n/gm, (line, name, specifier) => {
    if (!lazyPackages.some((lazy) => specifier === lazy || specifier.startsWith(`${lazy}/`))) return line;
    names.set(name, specifier);
    lazyImports.add(specifier);
    return '';
  });
  return rest.replace(/(?<![\w$.])\w+/g, (word) => (names.has(word) ? `(require("${names.get(word)}"))` : word));
}

/** Called when each entry point has been loaded. */
function checkLazy() {
  const require = createRequire(resolve('package.json'));
  for (const lazy of lazyPackages) {
    const specifiers = [...lazyImports].filter((name) => name === lazy || name.startsWith(`${lazy}/`));
    if (specifiers.length === 0) throw new Error(`--lazy names ${lazy}, which nothing imports`);
    for (const name of specifiers) {
      if (require.cache[require.resolve(name)]) throw new Error(`${name} is loaded before it is used`);
    }
  }
}

/** These declarations and all that they refer to: users of the package cannot see any others. */
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
