import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generatedClient } from '../src/prisma.js';
import { MYSQL, POSTGRES, type PretendedRds, pretendRds, root } from '../src/rds.js';

const readmes = [
  'README.md',
  ...readdirSync(join(root, 'packages')).map((name) => `packages/${name}/README.md`),
].filter((path) => existsSync(join(root, path)));

/** The programs of a README, by their number: those in blocks marked `ts`, or `ts` and the engine that they are for. */
function programs(path: string, engine: 'postgres' | 'mysql'): [number, string][] {
  const blocks = readFileSync(join(root, path), 'utf8').matchAll(/^```ts(?: (\w+))?\n(.*?)^```$/gms);
  return [...blocks]
    .map(([, on = engine, code = ''], index) => ({ number: index + 1, on, code }))
    .filter(({ on }) => on === engine)
    .map(({ number, code }) => [number, code]);
}

describe.each([
  ['packages/core/README.md', POSTGRES],
  ['packages/pg/README.md', POSTGRES],
  ['packages/mysql2/README.md', MYSQL],
  ['packages/typeorm/README.md', POSTGRES],
  ['packages/typeorm/README.md', MYSQL],
  ['packages/knex/README.md', POSTGRES],
  ['packages/knex/README.md', MYSQL],
  ['packages/sequelize/README.md', POSTGRES],
  ['packages/sequelize/README.md', MYSQL],
  ['packages/prisma/README.md', POSTGRES],
  ['packages/prisma/README.md', MYSQL],
  ['packages/redis/README.md', POSTGRES],
  ['packages/redis/README.md', MYSQL],
])('%s on $engine', (path, backend) => {
  let rds: PretendedRds;
  let client: Disposable | undefined;
  beforeAll(async () => {
    if (path.includes('prisma')) client = generatedClient(backend.engine);
    rds = await pretendRds(backend);
  });
  afterAll(async () => {
    client?.[Symbol.dispose]();
    await rds[Symbol.asyncDispose]();
  });

  test.each(programs(path, backend.engine))('program %i runs as it stands', async (_, code) => {
    const { exitCode, stderr } = await rds.run(
      ['--input-type=module', '-e', code],
      fileURLToPath(new URL('..', import.meta.url)),
    );
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
  });

  test('and the emulator has seen those log in that do', () => {
    expect(rds.emulator.stats.accepted > 0).toBe(path !== 'packages/core/README.md');
  });
});

describe.each(readmes)('%s', (path) => {
  const text = readFileSync(join(root, path), 'utf8');
  test('has no dead link within the repository', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]*)(#[^)]*)?\)/g)];
    for (const [, target = '', anchor = ''] of links) {
      const file = join(root, dirname(path), target);
      expect(existsSync(file), target).toBe(true);
      if (!anchor) continue;
      const page = target === '' ? text : readFileSync(target.endsWith('.md') ? file : join(file, 'README.md'), 'utf8');
      const headings = [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
        heading.toLowerCase().replace(/[^\w]+/g, '-'),
      );
      expect(headings, anchor).toContain(anchor.slice(1));
    }
  });
});

test("the README's commands are scripts of the workspace", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const commands = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/npx pnpm@10 ([\w:]+)/g)].map(
    ([, name]) => name,
  );
  expect(commands).toContain('test');
  expect(commands).toContain('demo');
  for (const name of commands) expect(Object.keys(scripts)).toContain(name);
});
