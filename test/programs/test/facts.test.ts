// Compares facts in tables with the code that they are about.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseRdsHostname } from '@rds-iam/core';
import { describe, expect, test } from 'vitest';
import { classify } from '../../../packages/core/src/classify.js';
import { tablesOf } from '../src/markdown.js';
import { root } from '../src/rds.js';

interface Manifest {
  readonly name: string;
  readonly engines: { readonly node: string };
  readonly scripts?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

const manifests: readonly Manifest[] = readdirSync(join(root, 'packages'))
  .map((name) => join(root, 'packages', name, 'package.json'))
  .filter((path) => existsSync(path))
  .map((path) => JSON.parse(readFileSync(path, 'utf8')));

/** The only table on a page with this head. */
function table(page: string, ...head: readonly string[]): string[][] {
  const [found, ...more] = tablesOf(page).filter(([first]) => JSON.stringify(first) === JSON.stringify(head));
  if (!found || more.length > 0) throw new Error(`${page} has not one table with the head ${head.join(', ')}`);
  return found.slice(1);
}

describe("the README's compatibility", () => {
  const rows = new Map(
    table('README.md', 'package', 'works with').map(([name = '', versions = '']) => [name, versions]),
  );

  test('lists every package with peers', () => {
    const peered = manifests.filter(({ peerDependencies }) => peerDependencies).map(({ name }) => name);
    expect([...rows.keys()].sort()).toEqual(['all', ...peered].sort());
  });

  test.each(manifests.filter(({ peerDependencies }) => peerDependencies))('$name: the peer ranges', (manifest) => {
    const peers = Object.entries(manifest.peerDependencies ?? {}).filter(([name]) => !name.startsWith('@types/'));
    const said = [...(rows.get(manifest.name) ?? '').matchAll(/([@\w/-]+) (\*|[\^~]?\d[\w.-]*(?: \|\| \^[\d.]+)*)/g)];
    expect(Object.fromEntries(said.map(([, name, range]) => [name, range]))).toEqual(Object.fromEntries(peers));
  });

  test('Node.js', () => {
    for (const { engines } of manifests) expect(rows.get('all')).toContain(`Node.js ${engines.node},`);
  });

  const consumers = join(root, 'test/consumers/src/definitions.ts');
  test.skipIf(!existsSync(consumers))('TypeScript, from the oldest that consumers are tested with', () => {
    const [, oldest] = /OLDEST_TYPESCRIPT = '([\d.]+)'/.exec(readFileSync(consumers, 'utf8')) ?? [];
    expect(rows.get('all')).toContain(`TypeScript ${oldest} and newer`);
  });
});

test("the README's rows for the driver packages import what exists", async () => {
  const rows = table('README.md', 'you use', 'before', 'after');
  const imports = rows.flatMap((cells) => cells.map((cell) => /^import \{ (\w+) \} from '(.+)'$/.exec(cell)));
  const named = imports.filter((each) => each !== null);
  expect(named.length).toBeGreaterThan(5);
  for (const [, name = '', from = ''] of named) {
    expect(Object.keys(await import(from)), `${name} of ${from}`).toContain(name);
  }
});

test("RDS Proxy's messages have the codes that its guide says", () => {
  const rows = table('docs/rds-proxy.md', 'the proxy says', 'code', 'what to do');
  const page = readFileSync(join(root, 'docs/rds-proxy.md'), 'utf8');
  let sentences = 0;
  for (const [said = '', code] of rows) {
    const line = page.split('\n').find((each) => each.includes(`\`${code}\``) && each.includes(said.slice(0, 30)));
    for (const [, sentence = ''] of (line?.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)) {
      sentences += 1;
      expect(classify(new Error(sentence.replace('…', 'app'))).code, sentence).toBe(code);
    }
  }
  expect(sentences).toBeGreaterThan(9);
});

test('endpoint names have the region that their guide says', () => {
  for (const [, name = '', region = ''] of table('docs/replicas.md', 'endpoint', 'name', 'region from the name')) {
    expect(parseRdsHostname(name)?.region, name).toBe(region.startsWith('yes') ? 'eu-west-1' : undefined);
  }
});

test('no package runs code when it is installed', () => {
  for (const { name, scripts = {} } of manifests) {
    expect(
      Object.keys(scripts).filter((script) => /install|prepare/.test(script)),
      name,
    ).toEqual([]);
  }
});

test("core's README has a row for each code and channel, and no other", () => {
  const of = (file: string, pattern: RegExp) => [
    ...new Set(readFileSync(join(root, 'packages/core/src', file), 'utf8').match(pattern)),
  ];
  const codes = table('packages/core/README.md', 'code', 'meaning', 'what to do').map(([code]) => code);
  expect(codes.sort()).toEqual(of('errors.ts', /ERR_RDS_IAM_[A-Z_]*[A-Z]/g).sort());
  const channels = table('packages/core/README.md', 'channel', 'when').map(([channel]) => channel);
  expect(channels.sort()).toEqual(of('diagnostics.ts', /rds-iam:[a-z]+:[a-z-]+/g).sort());
});
