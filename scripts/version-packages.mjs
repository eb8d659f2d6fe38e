// `changeset version`: the next version and its changelogs, out of the changesets. The command line tool's version.ts goes
// with its package.json.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

execFileSync('changeset', ['version'], { stdio: 'inherit' });
const { version } = JSON.parse(readFileSync('packages/cli/package.json', 'utf8'));
const file = 'packages/cli/src/version.ts';
const source = readFileSync(file, 'utf8');
const changed = source.replace(/(?<=^export const VERSION = ')[^']*(?=';$)/m, version);
if (!changed.includes(`'${version}'`)) throw new Error(`${file} has no VERSION to change`);
writeFileSync(file, changed);
