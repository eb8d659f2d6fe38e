import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Prisma's command line tool. */
export const prismaCli = join(dirname(createRequire(import.meta.url).resolve('prisma/package.json')), 'build/index.js');

export function prismaGenerate(schema: string, cwd: string): void {
  execFileSync(process.execPath, [prismaCli, 'generate', '--schema', schema], {
    cwd,
    stdio: 'pipe',
    // Generating needs no engine, but looks for one, and would download it.
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1' },
  });
}

/** Generates the client that programs of a README import from `./generated/prisma`; it goes with what is returned. */
export function generatedClient(engine: 'postgres' | 'mysql'): Disposable {
  const folder = fileURLToPath(new URL('../generated/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  const provider = engine === 'mysql' ? 'mysql' : 'postgresql';
  writeFileSync(
    join(folder, 'schema.prisma'),
    `datasource db {\n provider = "${provider}"\n}\ngenerator client {\n provider = "prisma-client"\n output = "./prisma"\n}\n`,
  );
  prismaGenerate('schema.prisma', folder);
  return { [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}
