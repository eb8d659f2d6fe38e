import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');
const published: readonly { name: string; version: string }[] = readdirSync(`${root}packages`).map((folder) =>
  JSON.parse(read(`packages/${folder}/package.json`)),
);

test('all published packages have the same version, and changesets keeps it that way', () => {
  const config = JSON.parse(read('.changeset/config.json'));
  expect(config.fixed.map((names: string[]) => names.toSorted())).toEqual([
    published.map(({ name }) => name).toSorted(),
  ]);
  expect(config).toMatchObject({ access: 'public', privatePackages: { version: false, tag: false } });
  expect(new Set(published.map(({ version }) => version)).size).toBe(1);
});

test('every changeset is about published packages', () => {
  for (const file of readdirSync(`${root}.changeset`).filter((name) => name.endsWith('.md') && name !== 'README.md')) {
    const [, head, text] = /^---\n(.*?)---\n\n(.+)$/s.exec(read(`.changeset/${file}`)) ?? [];
    expect(text?.trim(), `${file} says what has changed`).toBeTruthy();
    const entries = head?.trim().split('\n').filter(Boolean) ?? [];
    for (const entry of entries) {
      const [, name, change] = /^['"]?([^'"]+)['"]?: (\w+)$/.exec(entry) ?? [];
      expect(
        published.map((each) => each.name),
        file,
      ).toContain(name);
      expect(['patch', 'minor', 'major'], file).toContain(change);
    }
  }
});
