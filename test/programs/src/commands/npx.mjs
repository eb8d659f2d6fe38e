// npx, of what the tests have: nothing is downloaded.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** With the real tools, in packages/cli/test: some serve until somebody ends them, or need a project of their own. */
const RUN_BY_TESTS_OF_EXEC = ['node-pg-migrate up', 'prisma studio', 'drizzle-kit push', 'dbmate up'];

const [, , name, ...args] = process.argv;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

if (name === 'pnpm@10') {
  // A script or a program of the workspace, which runs far longer than a block may, and this test within it.
  const { scripts } = JSON.parse(readFileSync(here('../../../../package.json'), 'utf8'));
  const isProgram = args[0] === 'install' || existsSync(here(`../../../../node_modules/.bin/${args[0]}`));
  if (!isProgram && !(args[0] in scripts)) throw new Error(`no script "${args[0]}"`);
} else if (RUN_BY_TESTS_OF_EXEC.includes([name, ...args].join(' '))) {
  // That it is given a database to log in to is all that there is to see here.
  const url = process.env.DATABASE_URL ?? '';
  const hasLogin = url.includes('X-Amz-Signature') || new URL(url).hostname === '127.0.0.1';
  if (!hasLogin) throw new Error(`no token and no local port for ${name} ${args.join(' ')}`);
} else {
  const program = name === 'rds-iam' ? name : here(`../../node_modules/.bin/${name}`);
  if (name !== 'rds-iam' && !existsSync(program)) throw new Error(`npx does not know "${name}"`);
  process.exitCode = spawnSync(program, args, { stdio: 'inherit' }).status ?? 1;
}
