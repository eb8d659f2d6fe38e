// Builds the package in the current folder with plain tsc: ES modules, then CommonJS beside a package.json that says so.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
for (const project of ['tsconfig.build.json', 'tsconfig.build.cjs.json']) {
  execFileSync('tsc', ['-p', project], { stdio: 'inherit' });
}
writeFileSync('dist/cjs/package.json', '{"type":"commonjs"}\n');
