import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { NEED_AN_ACCOUNT } from '../src/describe-pages.js';
import { blocksOf, headingsOf, linksOf, pages, read } from '../src/markdown.js';
import { root } from '../src/rds.js';

/** The hosts that pages may link to. */
const HOSTS: readonly string[] = [
  'docs.aws.amazon.com',
  'docs.npmjs.com',
  'github.com',
  'knexjs.org',
  'node-postgres.com',
  'nodejs.org',
  'opentelemetry.io',
  'sequelize.org',
  'sidorares.github.io',
  'typeorm.io',
  'www.conventionalcommits.org',
  'www.npmjs.com',
  'www.prisma.io',
];

test('there are pages, without the generated ones', () => {
  expect(pages).toContain('README.md');
  expect(pages).toContain('packages/core/README.md');
  expect(pages.filter((page) => page.includes('node_modules') || page.startsWith('scripts/site/'))).toEqual([]);
});

test('every block is run: none is marked as not run', () => {
  const marked = pages.flatMap((page) => blocksOf(page).filter(({ notRun }) => notRun !== undefined));
  expect(marked.map(({ page, line, notRun }) => `${page}:${line} ${notRun}`)).toEqual([]);
});

test('except for the scripts of one page, which create a database in an AWS account and remove it again', () => {
  expect(NEED_AN_ACCOUNT).toEqual(['test/aws/README.md']);
  expect(NEED_AN_ACCOUNT.flatMap(blocksOf).map(({ language }) => language)).toEqual(Array(6).fill('sh'));
});

describe.each(pages)('%s', (page) => {
  test('has no dead link within the repository', () => {
    for (const link of linksOf(page)) {
      if (/^[a-z]+:/i.test(link)) continue;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : normalize(join(dirname(page), decodeURI(path)));
      expect(existsSync(join(root, target)), `${link} is there`).toBe(true);
      if (anchor === undefined) continue;
      const shown = statSync(join(root, target)).isDirectory() ? join(target, 'README.md') : target;
      expect(pages, `${link}: a page with anchors`).toContain(shown);
      expect(
        headingsOf(shown).map((heading) => heading.anchor),
        link,
      ).toContain(anchor);
    }
  });

  test('links elsewhere by https, to known hosts, and to no copy of this repository', () => {
    for (const link of linksOf(page).filter((each) => /^[a-z]+:/i.test(each))) {
      const { protocol, hostname, username } = new URL(link);
      expect({ link, protocol, username }).toEqual({ link, protocol: 'https:', username: '' });
      expect(HOSTS, link).toContain(hostname);
    }
  });

  test('names only commands of the workspace', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const text = readFileSync(join(root, page), 'utf8');
    for (const [, name = ''] of text.matchAll(/npx pnpm@10 ([\w:]+)/g)) {
      const isProgram = name === 'install' || existsSync(join(root, 'node_modules/.bin', name));
      expect(isProgram || name in scripts, name).toBe(true);
    }
  });

  // Templates of GitHub and changesets have no title.
  test.skipIf(page.startsWith('.'))('begins with its only title', () => {
    const titles = headingsOf(page).filter(({ depth }) => depth === 1);
    expect(titles).toHaveLength(1);
    expect(read(page).children[0]).toMatchObject({ type: 'heading', depth: 1 });
  });
});
