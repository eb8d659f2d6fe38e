import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Prisma's command line tool. */
export const prismaCli = join(dirname(createRequire(import.meta.url).resolve('prisma/package.json')), 'build/index.js');

export function prismaGenerate(schema: string, cwd: string): void {
  execFileSync(process.execPath, [prismaCli, 'generate', '--schema', schema], {
    cwd,
    stdio: 'pipe',
    // Generating does not need an engine, but would look for one and download it.
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1' },
  });
}

/** Generates the client that programs in this folder import from `./generated/prisma`. */
export function prismaClient(folder: string, engine: 'postgres' | 'mysql'): void {
  mkdirSync(join(folder, 'prisma'), { recursive: true });
  const provider = engine === 'mysql' ? 'mysql' : 'postgresql';
  writeFileSync(
    join(folder, 'prisma/schema.prisma'),
    `datasource db {\n provider = "${provider}"\n}\ngenerator client {\n provider = "prisma-client"\n output = "../generated/prisma"\n}\n`,
  );
  prismaGenerate('prisma/schema.prisma', folder);
}
