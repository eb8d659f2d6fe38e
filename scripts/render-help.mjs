// Puts what --help prints into the command line tool that was built in the current folder, by its own parser.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const { bin } = JSON.parse(readFileSync('package.json', 'utf8'));
const [program] = Object.values(bin);
const help = execFileSync(process.execPath, [program, '--help'], { encoding: 'utf8' });
const path = 'dist/cjs/help.js';
const code = readFileSync(path, 'utf8');
const rendered = code.replace('exports.HELP = undefined;', () => `exports.HELP = ${JSON.stringify(help)};`);
if (rendered === code) throw new Error(`${path} has no place for the help`);
writeFileSync(path, rendered);
