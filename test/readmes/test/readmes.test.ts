import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Emulator, startEmulator } from '@rds-iam/emulator';
import { startMariadb, startPostgres } from '@rds-iam/test-servers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const readmes = [
  'README.md',
  ...readdirSync(join(root, 'packages')).map((name) => `packages/${name}/README.md`),
].filter((path) => existsSync(join(root, path)));
const HOSTNAMES = [
  'mydb.abc123.eu-west-1.rds.amazonaws.com',
  'app.cluster-abc123.eu-west-1.rds.amazonaws.com',
  'app.cluster-ro-abc123.eu-west-1.rds.amazonaws.com',
] as const;
const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };

/** What the programs of a README log in to. */
interface Backend {
  readonly engine: 'postgres' | 'mysql';
  /** The port that programs connect to if they name none, and that their tokens are for. */
  readonly defaultPort: number;
  start(): Promise<AsyncDisposable & { readonly hostname: string; readonly port: number }>;
}

const POSTGRES: Backend = {
  engine: 'postgres',
  defaultPort: 5432,
  async start() {
    const server = await startPostgres();
    const admin = await server.connectAsSuperuser();
    await admin.query('create role app login');
    await admin.query('create database shop owner app');
    await admin.end();
    return server;
  },
};

const MYSQL: Backend = {
  engine: 'mysql',
  defaultPort: 3306,
  async start() {
    const server = await startMariadb();
    const admin = await server.connectAsSuperuser();
    await admin.query("create user app@'%' identified by ''");
    await admin.query('create database shop');
    await admin.query("grant all on shop.* to app@'%'");
    await admin.end();
    return server;
  },
};

/** The programs of a README, by their number: those in blocks marked `ts`. */
function programs(path: string): [number, string][] {
  const blocks = readFileSync(join(root, path), 'utf8').matchAll(/^```ts\n(.*?)^```$/gms);
  return [...blocks].map(([, code = ''], index) => [index + 1, code]);
}

describe.each([
  ['packages/core/README.md', POSTGRES],
  ['packages/pg/README.md', POSTGRES],
  ['packages/mysql2/README.md', MYSQL],
])('%s', (path, { engine, defaultPort, start }) => {
  let database: Awaited<ReturnType<Backend['start']>>;
  let emulator: Emulator;
  let folder: string;
  beforeAll(async () => {
    database = await start();
    emulator = await startEmulator({
      engine,
      upstream: { hostname: database.hostname, port: database.port },
      region: 'eu-west-1',
      accessKeys: [CREDENTIALS],
      hostnames: HOSTNAMES,
      tokenPort: defaultPort,
    });
    folder = mkdtempSync(join(tmpdir(), 'rds-iam-readmes-'));
    writeFileSync(join(folder, 'ca.pem'), emulator.ca);
  });
  afterAll(async () => {
    await emulator.close();
    await database[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  test.each(programs(path))('program %i runs as it stands', async (_, code) => {
    const child = spawn(
      process.execPath,
      [
        ...['--conditions=@rds-iam/source', '--import', 'tsx', '--import', './src/pretend-rds.mjs'],
        ...['--input-type=module', '-e', code],
      ],
      {
        cwd: fileURLToPath(new URL('..', import.meta.url)),
        env: {
          ...process.env,
          AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
          AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
          EMULATOR_CA_FILE: join(folder, 'ca.pem'),
          EMULATOR_PORT: String(emulator.port),
          NODE_ENV: 'production',
        },
        stdio: ['ignore', 'ignore', 'pipe'],
        timeout: 20_000,
      },
    );
    let complaints = '';
    child.stderr.on('data', (chunk) => {
      complaints += chunk;
    });
    const [exitCode] = await once(child, 'exit');
    expect(complaints).toBe('');
    expect(exitCode).toBe(0);
  });

  test('and the emulator has seen those log in that do', () => {
    expect(emulator.stats.accepted > 0).toBe(path !== 'packages/core/README.md');
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
