import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Block, blocksOf } from './markdown.js';
import { makeProject } from './project.js';
import { MYSQL, type Outcome, POSTGRES, type PretendedRds, pretendRds } from './rds.js';
import { folderOf, runBlock, type Stage } from './run-block.js';
import { makeCommands, missingClients, SCRIPT_TIMEOUT_MS } from './shell.js';

/** Blocks with separate tests: the text of an error by its code, the lines that a program prints. */
const CHECKED_ELSEWHERE = ['docs/troubleshooting.md'];
/** Pages that show a terminal, for example with a failed run. A test of the package compares it with a real one. */
const TERMINALS_CHECKED_ELSEWHERE = ['packages/cli/README.md', 'docs/throttling.md'];

/** Pages whose scripts need an AWS account and change something there: only their syntax is checked. */
export const NEED_AN_ACCOUNT = ['test/aws/README.md'];

/** Runs all blocks of these pages, page by page, each in the order of its page. */
export function describePages(pages: readonly string[]): void {
  let rds: PretendedRds;
  const commands = mkdtempSync(join(tmpdir(), 'rds-iam-commands-'));
  beforeAll(async () => {
    rds = await pretendRds(POSTGRES, MYSQL);
    makeCommands(commands, rds);
  });
  afterAll(async () => {
    await rds?.[Symbol.asyncDispose]();
    rmSync(commands, { recursive: true });
  });

  const logins = () => Object.values(rds.emulators).reduce((sum, { stats }) => sum + stats.accepted, 0);

  describe.each(pages.filter((page) => blocksOf(page).length > 0))('%s', (page) => {
    const folder = folderOf(page);
    const variables: Record<string, string | undefined> = {};
    let before: number;
    let printed = '';
    beforeAll(() => {
      makeProject(folder);
      rds.forgetChanges();
      before = logins();
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    for (const block of blocksOf(page).filter(({ notRun }) => notRun === undefined)) {
      const stage = (): Stage => ({ rds, folder, commands, variables });
      const named = `line ${block.line}: ${block.language} ${block.words.join(' ')}`;
      if (block.language === 'text') {
        if (!CHECKED_ELSEWHERE.includes(page)) test(named, () => expectPrinted(block, printed));
        continue;
      }
      if (block.language === 'console') {
        test(named, () => expect(TERMINALS_CHECKED_ELSEWHERE).toContain(page));
        continue;
      }
      if (block.language === 'sh' && NEED_AN_ACCOUNT.includes(page)) {
        test(named, () => void execFileSync('/bin/sh', ['-n', '-c', block.code], { stdio: 'pipe' }));
        continue;
      }
      test.skipIf(block.language === 'sh' && missingClients(block.code).length > 0)(
        named,
        async () => {
          const outcome = await runBlock(block, stage());
          expectDone(block, outcome);
          printed = outcome.stdout;
          Object.assign(variables, exportsOf(block));
        },
        SCRIPT_TIMEOUT_MS,
      );
    }

    if (blocksOf(page).some(logsIn)) {
      test('and the emulators have let its programs in', () => expect(logins()).toBeGreaterThan(before));
    }

    const roles = blocksOf(page).flatMap(rolesOf);
    if (roles.length > 0) {
      test('and STS was asked for the roles that they name', () => {
        expect(rds.aws.calls.map(({ parameters }) => parameters['RoleArn'])).toEqual(expect.arrayContaining(roles));
      });
    }
  });
}

/** A command line tool prints messages on stderr; other programs should print nothing there. */
function expectDone({ language }: Block, { exitCode, stdout, stderr }: Outcome): void {
  expect({ exitCode, stderr: language === 'sh' && exitCode === 0 ? '' : stderr, stdout }).toEqual({
    exitCode: 0,
    stderr: '',
    stdout,
  });
}

/** A text block is the output of the block before it; … stands for anything. */
function expectPrinted({ code }: Block, printed: string): void {
  const pattern = code.split('…').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  expect(printed.trim()).toMatch(new RegExp(`^${pattern.join('[^]*?')}$`));
}

/** What a shell script leaves for the following ones in the same shell. */
function exportsOf({ language, code }: Block): Record<string, string> {
  const exported = language === 'sh' ? code.matchAll(/^export (\w+)=([\w.:/@-]+)$/gm) : [];
  return Object.fromEntries([...exported].map(([, name = '', value = '']) => [name, value]));
}

/** The roles that a program or a profile assumes. */
const rolesOf = ({ code }: Block): string[] =>
  [...code.matchAll(/(?:role_arn = |[rR]oleArn: ')([\w:/-]+)/g)].map(([, arn = '']) => arn);

/** Whether a block has to log in at one of the emulators. */
function logsIn({ language, code, notRun }: Block): boolean {
  if (notRun !== undefined || !['ts', 'js', 'sh'].includes(language)) return false;
  return /\.rds\.amazonaws\.com/.test(code) && /await \w+(?:\.(?!getToken)|`)|-- (?:psql|mariadb)/.test(code);
}
