import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from 'redis';
import { checkData } from './data-blocks.js';
import type { Block } from './markdown.js';
import { prismaClient } from './prisma.js';
import { type Outcome, type PretendedRds, root } from './rds.js';
import { runShell } from './shell.js';
import { runSql } from './sql-blocks.js';

/** Where the blocks of a page run, one after another. */
export interface Stage {
  readonly rds: PretendedRds;
  /** The page's own folder, in which the packages that programs import can be found. */
  readonly folder: string;
  /** The folder of the programs that a shell finds. */
  readonly commands: string;
  /** Variables that earlier blocks have set. */
  readonly variables: Record<string, string | undefined>;
}

const SILENT = { exitCode: 0, stdout: '', stderr: '' } as const;

/** Runs a block according to its language. Throws, or returns an exit code other than 0, if it is wrong. */
export async function runBlock(block: Block, stage: Stage): Promise<Outcome> {
  const { language, code, line } = block;
  switch (language) {
    case 'ts':
    case 'js':
      return runModule(block, stage);
    case 'diff':
      return runDiff(block, stage);
    case 'sh':
      return runShell(code, stage.folder, stage.commands, stage.rds, stage.variables);
    case 'sql':
      await runSql(block, stage.rds);
      return SILENT;
    case 'json':
    case 'yaml':
      await checkData(block, (script) => runShell(script, stage.folder, stage.commands, stage.rds, {}));
      return SILENT;
    case 'ini':
      // Only the profile's credentials.
      Object.assign(stage.variables, { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined });
      stage.variables['AWS_CONFIG_FILE'] = write(stage, `aws-config-${line}`, code);
      return SILENT;
    case '':
      checkMap(block);
      return SILENT;
    case 'redis':
      return runRedis(code, stage.rds);
    default:
      throw new Error(`no test knows how to run "${language}"`);
  }
}

function write({ folder }: Stage, name: string, code: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, code);
  return path;
}

/** The file name that a block states. */
export const fileOf = ({ words }: Block) => words.find((word) => word.includes('.'));

async function runModule(block: Block, stage: Stage): Promise<Outcome> {
  const { code, language, line } = block;
  if (code.includes("'./generated/prisma/")) prismaClient(stage.folder, engineOf(block));
  const name = fileOf(block) ?? `block-${line}.${language}`;
  write(stage, name, `${code}\n`);
  if (!/^export const handler\b/m.test(code)) return run(name, stage);
  // Like Lambda: called twice in one process, which is then frozen.
  const calls = [
    `import { handler } from './${name}';`,
    'await handler({}, {});',
    'await handler({}, {});',
    'process.exit();',
  ];
  write(stage, `call-${line}.ts`, calls.join('\n'));
  return run(`call-${line}.ts`, stage);
}

const run = (name: string, { rds, folder, variables }: Stage) => rds.runProgram(name, folder, variables);

/** Both sides of a diff are programs; the new one has to log in. */
async function runDiff({ code, line }: Block, stage: Stage): Promise<Outcome> {
  const without = (sign: string) =>
    code
      .split('\n')
      .filter((each) => !each.startsWith(sign))
      .map((each) => each.slice(1))
      .join('\n');
  write(stage, `before-${line}.ts`, without('+'));
  const before = await run(`before-${line}.ts`, stage);
  if (before.exitCode !== 0) throw new Error(`what was there before does not run: ${before.stderr}`);
  write(stage, `after-${line}.ts`, without('-'));
  return run(`after-${line}.ts`, stage);
}

/** A block without a language is a map of folders: each line begins with existing ones, below those of the lines before. */
function checkMap({ page, code }: Block): void {
  const base = join(root, page, '..');
  let parent = '';
  for (const line of code.split('\n')) {
    const [, indent = '', names = ''] = /^( *)((?:[\w-]+\/ *)+)/.exec(line) ?? [];
    if (names === '') throw new Error(`no map of folders: ${line}`);
    for (const name of names.trim().split(/ +/)) {
      const path = join(base, indent === '' ? '' : parent, name);
      if (!existsSync(path)) throw new Error(`no such folder: ${path}`);
    }
    if (indent === '') parent = names.trim();
  }
}

async function runRedis(code: string, { redisUrl }: PretendedRds): Promise<Outcome> {
  const client = await createClient({ url: redisUrl }).connect();
  try {
    for (const command of code.split('\n')) await client.sendCommand(command.split(' '));
  } finally {
    await client.close();
  }
  return SILENT;
}

/** The engine that a block is for: stated, or implied by its imports. */
export function engineOf({ words, code }: Pick<Block, 'words' | 'code'>): 'postgres' | 'mysql' {
  if (words.includes('mysql')) return 'mysql';
  if (words.includes('postgres')) return 'postgres';
  return /mysql/i.test(code) ? 'mysql' : 'postgres';
}

/** The folder for a page. */
export const folderOf = (page: string) =>
  join(root, 'test/programs/generated', page.replace(/\.md$/, '').replaceAll('/', '-'));
