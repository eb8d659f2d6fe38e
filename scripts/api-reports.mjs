// Reports the public API of each built package, one report per entry point, in the package's folder `api`. Fails if a report
// differs from the committed one, so that nothing public changes unnoticed; with --update it writes them.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';

const update = process.argv.includes('--update');
const types = resolve(createRequire(import.meta.url).resolve('@types/node/package.json'), '../..');
const temporary = mkdtempSync(join(tmpdir(), 'rds-iam-api-'));
const problems = [];

try {
  for (const name of readdirSync('packages')) {
    const folder = resolve('packages', name);
    const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const entries = Object.entries(exports).filter(([, entry]) => typeof entry !== 'string');
    const reports = entries.map(([subpath, entry]) => report(folder, subpath, entry.require.types));
    const stale = existing(join(folder, 'api')).filter((file) => !reports.includes(file));
    for (const file of stale) {
      if (update) rmSync(join(folder, 'api', file));
      else problems.push(`packages/${name}/api/${file} is of no entry point`);
    }
  }
} finally {
  rmSync(temporary, { recursive: true });
}
for (const problem of problems) process.stderr.write(`${problem}\n`);
if (problems.length > 0) {
  process.stderr.write('If the public surface is meant to change, run `npx pnpm@10 api` and commit the reports.\n');
  process.exitCode = 1;
}

/** Compares or writes the report of one entry point. @returns the name of its file */
function report(folder, subpath, declarations) {
  const file = `${subpath === '.' ? 'index' : subpath.slice(2)}.api.md`;
  const reportFolder = join(folder, 'api');
  const entry = withoutDefault(join(folder, declarations));
  const none = { logLevel: 'none' };
  if (update) mkdirSync(reportFolder, { recursive: true });
  const config = ExtractorConfig.prepare({
    packageJsonFullPath: join(folder, 'package.json'),
    configObjectFullPath: undefined,
    configObject: {
      projectFolder: folder,
      mainEntryPointFilePath: entry,
      newlineKind: 'lf',
      compiler: {
        overrideTsconfig: {
          files: [entry],
          compilerOptions: {
            target: 'ES2022',
            lib: ['ES2023'],
            module: 'node16',
            strict: true,
            skipLibCheck: true,
            typeRoots: [types],
            types: ['node'],
          },
        },
      },
      apiReport: {
        enabled: true,
        reportFileName: file,
        reportFolder,
        reportTempFolder: temporary,
        // A type that the API mentions is part of it, exported or not.
        includeForgottenExports: true,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: 'error' } },
        extractorMessageReporting: {
          default: { logLevel: 'error' },
          'ae-forgotten-export': none,
          'ae-missing-release-tag': none,
          'ae-undocumented': none,
          // API Extractor cannot follow links to declarations in other packages.
          'ae-unresolved-link': none,
        },
        tsdocMessageReporting: { default: { logLevel: 'error' } },
      },
    },
  });
  const said = problems.length;
  const { succeeded, apiReportChanged } = Extractor.invoke(config, {
    localBuild: update,
    messageCallback: (message) => {
      if (message.logLevel === 'error') problems.push(message.formatMessageWithLocation(folder));
      message.handled = true;
    },
  });
  if (apiReportChanged && !update)
    problems.push(`${relative('.', join(reportFolder, file))} differs from the public surface`);
  else if (!succeeded && said === problems.length) problems.push(`${relative('.', entry)} has no report`);
  return file;
}

/**
 * An entry point that stands in for a driver's module also exports the same names on its default export, which API Extractor
 * cannot follow. Returns the declarations of those exports.
 */
function withoutDefault(entry) {
  const twice = /^(?:\/\/.*\n)*export \* as default from '(\S+)\.js';\nexport \* from '\1\.js';\n$/;
  const [, all] = twice.exec(readFileSync(entry, 'utf8')) ?? [];
  return all === undefined ? entry : join(dirname(entry), `${all}.d.ts`);
}

function existing(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
