import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import GithubSlugger from 'github-slugger';
import type { Root, RootContent } from 'mdast';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { gfmFromMarkdown } from 'mdast-util-gfm';
import { toString as textOf } from 'mdast-util-to-string';
import { gfm } from 'micromark-extension-gfm';
import { visit } from 'unist-util-visit';
import { root } from './rds.js';

/** A fenced block on a page. */
export interface Block {
  readonly page: string;
  readonly line: number;
  /** The first word after the fence. */
  readonly language: string;
  /** The other words: an engine, or the block's file name. */
  readonly words: readonly string[];
  readonly code: string;
  /** Why it is not run, if a comment `<!-- not run: … -->` before it says so. */
  readonly notRun: string | undefined;
}

/** Every page of the repository by its path from the root, except generated ones such as the API reports. */
export const pages: readonly string[] = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate', '*.md'],
  { cwd: root, encoding: 'utf8' },
)
  .split('\n')
  .filter((page) => page !== '' && !page.endsWith('.api.md'));

export function read(page: string): Root {
  return fromMarkdown(readFileSync(join(root, page), 'utf8'), {
    extensions: [gfm()],
    mdastExtensions: [gfmFromMarkdown()],
  });
}

export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  visit(read(page), 'code', (node, index, parent) => {
    const before: RootContent | undefined = parent?.children[(index ?? 0) - 1];
    const comment = before?.type === 'html' ? before.value : '';
    blocks.push({
      page,
      line: node.position?.start.line ?? 0,
      language: node.lang ?? '',
      words: node.meta?.split(/\s+/) ?? [],
      code: node.value,
      notRun: /^<!-- not run: (.+) -->$/s.exec(comment)?.[1],
    });
  });
  return blocks;
}

/** The targets of a page's links and images. */
export function linksOf(page: string): string[] {
  const links: string[] = [];
  visit(read(page), (node) => {
    if (node.type === 'link' || node.type === 'image' || node.type === 'definition') links.push(node.url);
  });
  return links;
}

export interface Heading {
  readonly depth: number;
  readonly text: string;
  /** The anchor of a heading, as on GitHub. */
  readonly anchor: string;
}

export function headingsOf(page: string): Heading[] {
  const slugger = new GithubSlugger();
  const headings: Heading[] = [];
  visit(read(page), 'heading', (node) => {
    const text = textOf(node);
    headings.push({ depth: node.depth, text, anchor: slugger.slug(text) });
  });
  return headings;
}

/** The tables on a page, as the text of their cells, row by row; the first row is the head. */
export function tablesOf(page: string): string[][][] {
  const tables: string[][][] = [];
  visit(read(page), 'table', (node) => {
    tables.push(node.children.map((row) => row.children.map((cell) => textOf(cell))));
  });
  return tables;
}
