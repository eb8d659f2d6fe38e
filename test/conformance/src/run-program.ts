import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

export interface EndedProgram {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The output on both streams. */
  readonly output: string;
}

/** A program that ended by itself without complaints. */
export const FREE = { code: 0, signal: null } as const;

/** For a program: stops its event loop until the work in the meantime is done. */
const FREEZE = `
  import { readSync, writeSync } from 'node:fs';
  const freeze = () => writeSync(3, '.') && readSync(0, Buffer.alloc(1));`;

/**
 * Runs the text of an ES module in a separate process, with the sources of our packages.
 *
 * @param config - the program's value of `config`
 * @param options - `cwd` is the folder where the program looks for packages, `preload` is imported before it, and `freeze` is run
 * while the program is stopped in its call of `freeze()`
 */
export async function runProgram(
  program: string,
  config: object,
  {
    cwd = root,
    preload = [],
    freeze,
  }: { readonly cwd?: string; readonly preload?: readonly string[]; readonly freeze?: () => Promise<void> } = {},
): Promise<EndedProgram> {
  const code = `const config = JSON.parse(process.env.CONFIG); ${freeze ? FREEZE : ''} ${program}`;
  using bundled = await bundle(code, cwd);
  const args = [...preload.flatMap((name) => ['--import', name]), bundled.path];
  const env = { ...process.env, CONFIG: JSON.stringify(config) };
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe', 'pipe'], timeout: 60_000 });
  child.stdio[3]?.on('data', async () => {
    await freeze?.();
    child.stdin.write('.');
  });
  if (!freeze) child.stdin.end();
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const [exitCode, signal] = await once(child, 'close');
  return { code: exitCode, signal, output };
}
