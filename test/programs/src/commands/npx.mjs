// npx, of what the tests have: nothing is downloaded.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [, , name, ...args] = process.argv;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

if (name === 'pnpm@10') {
  // A script or a program of the workspace, which runs far longer than a block may, and this test within it.
  const { scripts } = JSON.parse(readFileSync(here('../../../../package.json'), 'utf8'));
  const isProgram = args[0] === 'install' || existsSync(here(`../../../../node_modules/.bin/${args[0]}`));
  if (!isProgram && !(args[0] in scripts)) throw new Error(`no script "${args[0]}"`);
} else {
  const program = name === 'rds-iam' ? name : here(`../../node_modules/.bin/${name}`);
  if (name !== 'rds-iam' && !existsSync(program)) throw new Error(`npx does not know "${name}"`);
  process.exitCode = spawnSync(program, args, { stdio: 'inherit' }).status ?? 1;
}
