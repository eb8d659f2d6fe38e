import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { allowedShares, judgeShares, partOf } from '../../../scripts/shares-reporter.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const page = readFileSync(`${root}CONTRIBUTING.md`, 'utf8');

test('every part with tests has a share in the table of CONTRIBUTING.md', () => {
  const parts = ['packages', 'test'].flatMap((kind) =>
    readdirSync(`${root}${kind}`)
      .filter((name) => readdirSync(`${root}${kind}/${name}`).includes('test'))
      .map((name) => `${kind}/${name}`),
  );
  expect([...allowedShares(page).keys()].sort()).toEqual(parts.sort());
});

test('a part is a package or a folder of test', () => {
  expect(partOf('packages/pg/test/login.test.ts')).toBe('packages/pg');
  expect(partOf('test/faults/test/clock.test.ts')).toBe('test/faults');
});

test('a part that exceeds its share is reported, and so is one without a share', () => {
  const allowed = new Map([
    ['packages/pg', 40],
    ['packages/core', 50],
  ]);
  const times = new Map([
    ['packages/pg', 50],
    ['packages/core', 40],
    ['packages/new', 10],
  ]);
  expect(judgeShares(times, allowed)).toEqual([
    'packages/pg takes 50 % of the time, and may take 40 %: see CONTRIBUTING.md',
    'packages/new has no row in the table of CONTRIBUTING.md: it takes 10 % of the time',
  ]);
});
