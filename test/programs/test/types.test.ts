import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pages } from '../src/markdown.js';
import { root } from '../src/rds.js';
import { compileBlocks, typedBlocksOf } from '../src/type-blocks.js';

test('every TypeScript program of every page compiles, strictly', async () => {
  const typed = pages.filter((page) => typedBlocksOf(page).length > 0);
  expect(typed.length).toBeGreaterThan(15);
  const folder = join(root, 'test/programs/generated/types');
  try {
    expect(await compileBlocks(typed, folder)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);
