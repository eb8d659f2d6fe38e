import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
/** The documents for contributors. */
const DOCUMENTS = [
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  'CODE_OF_CONDUCT.md',
  '.changeset/README.md',
  '.github/PULL_REQUEST_TEMPLATE.md',
  'test/aws/README.md',
];
/** pnpm's own commands, or programs that it finds. */
const COMMANDS = ['install', 'changeset'];

/** The anchor of a heading, as on GitHub. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

describe.each(DOCUMENTS)('%s', (path) => {
  const text = read(path);

  test('has no dead links', () => {
    const links = [...text.matchAll(/\]\((?!https:)([^)#]*)(?:#([^)]*))?\)/g)];
    for (const [whole, target = '', anchor] of links) {
      const file = target === '' ? path : join(dirname(path), target);
      expect(existsSync(join(root, file)), whole).toBe(true);
      if (anchor === undefined) continue;
      const headings = [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(String(heading)));
      expect(headings, whole).toContain(anchor);
    }
  });

  test('names existing commands, projects and tests', () => {
    for (const [whole, name] of text.matchAll(/pnpm@10 ([\w:-]+)/g)) {
      expect([...COMMANDS, ...Object.keys(scripts)], whole).toContain(name);
    }
    for (const [whole, name] of text.matchAll(/--project ([\w-]+)/g)) {
      expect(read('vitest.config.ts'), whole).toContain(`name: '${name}'`);
    }
    for (const [, name = ''] of text.matchAll(/pnpm@10 test(?::watch)?(?: --project [\w-]+)? (packages\/\w+)/g)) {
      expect(existsSync(join(root, name, 'test')), name).toBe(true);
    }
  });
});

test('the map of the code has every folder', () => {
  const [, map = ''] = /## A map of the code\n\n```\n(.*?)\n```/s.exec(read('CONTRIBUTING.md')) ?? [];
  for (const kind of ['packages', 'test']) {
    const folders = readdirSync(join(root, kind)).filter((name) => statSync(join(root, kind, name)).isDirectory());
    for (const name of folders) expect(map, `${kind}/${name}`).toMatch(new RegExp(`^  (?:\\w+/ +)*${name}/ `, 'm'));
  }
});

test.each([
  ['bug', ['code', 'versions', 'doctor']],
  ['feature', ['problem']],
])('the issue form "%s" asks for what is needed', (name, wanted) => {
  const form = parse(read(`.github/ISSUE_TEMPLATE/${name}.yml`)) as {
    name?: string;
    description?: string;
    body: { type: string; id?: string; attributes: { label?: string; value?: string; options?: string[] } }[];
  };
  expect(form).toMatchObject({ name: expect.any(String), description: expect.any(String) });
  const ids = form.body.flatMap(({ id }) => id ?? []);
  expect(ids).toEqual(expect.arrayContaining(wanted));
  expect(new Set(ids).size).toBe(ids.length);
  for (const { type, attributes } of form.body) {
    expect(['markdown', 'textarea', 'input', 'dropdown'], type).toContain(type);
    expect(type === 'markdown' ? attributes.value : attributes.label, type).toBeTypeOf('string');
    if (type === 'dropdown') expect(attributes.options?.length).toBeGreaterThan(1);
  }
});

test('.editorconfig says what biome.json says', () => {
  const { formatter } = JSON.parse(read('biome.json'));
  const [, everywhere = ''] = /^\[\*\]\n(.*?)\n\n/ms.exec(read('.editorconfig')) ?? [];
  const settings = Object.fromEntries(everywhere.split('\n').map((line) => line.split(' = ')));
  expect(settings).toMatchObject({
    indent_style: formatter.indentStyle,
    indent_size: String(formatter.indentWidth),
    max_line_length: String(formatter.lineWidth),
    end_of_line: formatter.lineEnding ?? 'lf',
  });
});
