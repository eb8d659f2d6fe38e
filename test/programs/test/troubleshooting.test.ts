import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRdsIamError } from '@rds-iam/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blocksOf, headingsOf, pages } from '../src/markdown.js';
import { makeTrouble, type Trouble } from '../src/provoke.js';
import { root } from '../src/rds.js';

const PAGE = 'docs/troubleshooting.md';

/** The message in each section, by code. */
const shown = new Map(
  readFileSync(join(root, PAGE), 'utf8')
    .split(/^## /m)
    .map((section): [string, string[]] => [
      section.slice(0, section.indexOf('\n')),
      [...section.matchAll(/^```text\n(.*?)\n```$/gms)].map(([, text = '']) => text),
    ]),
);

/** Replaces what differs from run to run: counts, durations, and the address of an endpoint. */
const constant = (message: string) =>
  message
    .replace(/after \d+ attempts in \d+ ms/, 'after N attempts in N ms')
    .replace(/\d+\.\d+\.\d+\.\d+:\d+/, 'ADDRESS')
    .replaceAll('"crowded"', '"app"');

let trouble: Trouble;
beforeAll(async () => {
  trouble = await makeTrouble();
});
afterAll(() => trouble?.[Symbol.asyncDispose]());

// Typed with core's codes, so that the compiler checks that the list is complete.
const CODES = Object.keys({
  ERR_RDS_IAM_CONFIG: 0,
  ERR_RDS_IAM_REGION: 0,
  ERR_RDS_IAM_ENDPOINT: 0,
  ERR_RDS_IAM_CREDENTIALS: 0,
  ERR_RDS_IAM_SIGNING: 0,
  ERR_RDS_IAM_TLS: 0,
  ERR_RDS_IAM_UNREACHABLE: 0,
  ERR_RDS_IAM_REFUSED: 0,
  ERR_RDS_IAM_THROTTLED: 0,
  ERR_RDS_IAM_ADMISSION: 0,
  ERR_RDS_IAM_TOO_MANY_CONNECTIONS: 0,
  ERR_RDS_IAM_LOGIN: 0,
  ERR_RDS_IAM_ABORTED: 0,
} satisfies Record<keyof Trouble['provoke'], 0>) as (keyof Trouble['provoke'])[];

/** The command line tool's codes, which its README lists. */
const CODES_OF_THE_COMMAND_LINE: readonly string[] = readdirSync(join(root, 'packages/cli/src'), {
  recursive: true,
  encoding: 'utf8',
})
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) => readFileSync(join(root, 'packages/cli/src', file), 'utf8').match(/ERR_RDS_IAM_[A-Z_]+/g) ?? []);

test('every code has a section, and no section is about an unknown code', () => {
  const sections = headingsOf(PAGE).filter(({ text }) => text.startsWith('ERR_'));
  expect(sections.map(({ text }) => text).sort()).toEqual([...CODES].sort());
  expect(blocksOf(PAGE).filter(({ language }) => language === 'text')).toHaveLength(CODES.length);
});

describe.each(CODES)('%s', (code) => {
  test('really happens, with the message that the page shows', async () => {
    const error = await trouble.provoke[code]().then(
      () => expect.unreachable('nothing is wrong'),
      (thrown: unknown) => thrown,
    );
    if (!isRdsIamError(error)) throw error;
    expect(error.code).toBe(code);
    expect(shown.get(code)?.map(constant)).toEqual([constant(error.message)]);
  });
});

test.each(pages)('%s names only existing codes', (page) => {
  const named = readFileSync(join(root, page), 'utf8').match(/ERR_RDS_IAM_[A-Z_]+/g) ?? [];
  expect([...CODES, ...CODES_OF_THE_COMMAND_LINE]).toEqual(expect.arrayContaining(named));
});
