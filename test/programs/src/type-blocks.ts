// The TypeScript in the documentation, compiled strictly, like a reader's own project, against the packages' sources.
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Block, blocksOf } from './markdown.js';
import { prismaClient } from './prisma.js';
import { engineOf, fileOf } from './run-block.js';

const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

const OPTIONS = {
  noEmit: true,
  strict: true,
  module: 'nodenext',
  target: 'es2022',
  lib: ['es2023'],
  types: ['node'],
  allowImportingTsExtensions: true,
  // A framework's own declarations are not checked.
  skipLibCheck: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  customConditions: ['@rds-iam/source'],
};

/** A page's TypeScript programs. */
export const typedBlocksOf = (page: string): Block[] => blocksOf(page).filter(({ language }) => language === 'ts');

/**
 * Compiles all TypeScript of these pages at once, below a folder. @returns the compiler's errors, by page and line. Blocks of a
 * page can import each other by the names that they state.
 */
export async function compileBlocks(pages: readonly string[], folder: string): Promise<readonly string[]> {
  const lines = new Map<string, string>();
  for (const page of pages) {
    const pageFolder = page.replace(/\.md$/, '').replaceAll('/', '-');
    const blocks = typedBlocksOf(page);
    for (const block of blocks) {
      // A folder for each, because two blocks of a page may be versions of one file.
      const blockFolder = join(pageFolder, `line-${block.line}`);
      for (const each of blocks.filter((other) => other === block || fileOf(other) !== fileOf(block))) {
        write(join(folder, blockFolder), fileOf(each) ?? `block-${each.line}.ts`, each.code);
      }
      if (block.code.includes("'./generated/prisma/")) prismaClient(join(folder, blockFolder), engineOf(block));
      const file = join(blockFolder, fileOf(block) ?? `block-${block.line}.ts`);
      lines.set(file, `${page}:${block.line}`);
    }
  }
  write(folder, 'package.json', '{ "type": "module" }');
  write(folder, 'tsconfig.json', JSON.stringify({ compilerOptions: OPTIONS, files: [...lines.keys()] }));
  const said = await promisify(execFile)(process.execPath, [compiler, '-p', 'tsconfig.json', '--pretty', 'false'], {
    cwd: folder,
    maxBuffer: 16 * 1024 * 1024,
  }).then(
    ({ stdout }) => stdout,
    ({ stdout }: { stdout: string }) => stdout,
  );
  return said
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(' '))
    .map((line) =>
      line.replace(/^([^(]+)\((\d+),\d+\)/, (_, file, at) => `${lines.get(file) ?? file} (line ${at} of the block)`),
    );
}

function write(folder: string, name: string, text: string): void {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${text}\n`);
}
