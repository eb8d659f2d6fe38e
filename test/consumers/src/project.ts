import { execFile } from 'node:child_process';
import { copyFile, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const newestCompiler = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc');

/** How a program is compiled, if not like in a new project of today. */
export interface CompilerSettings {
  /** The path of the compiler within the project; by default the newest version. */
  readonly compiler?: string;
  /** `nodenext` unless this says otherwise. */
  readonly module?: 'node16' | 'nodenext' | 'bundler';
  /** Whether the declarations of packages are also checked: ours must then be free of errors. On unless this is false. */
  readonly declarations?: boolean;
}

/** A consumer's project, with packages installed in its folder. */
export class Project {
  readonly folder: string;

  /** @param folder - of a project that the test setup has installed */
  constructor(folder: string) {
    this.folder = folder;
  }

  /** The names of all installed packages, including scopes. */
  async installed(): Promise<readonly string[]> {
    const modules = join(this.folder, 'node_modules');
    const names = await readdir(modules);
    const scoped = names.filter((name) => name.startsWith('@'));
    const inScopes = await Promise.all(
      scoped.map(async (scope) => (await readdir(join(modules, scope))).map((name) => `${scope}/${name}`)),
    );
    return [...names, ...inScopes.flat()];
  }

  /** Runs a program of `programs/` in the project without any warning; `args` are for the runtime. @returns its output */
  async run(
    program: string,
    environment: Readonly<Record<string, string>>,
    node = process.execPath,
    args: readonly string[] = [],
  ): Promise<string> {
    await this.#copy(program);
    const { stdout, stderr } = await this.node([...args, program], environment, node);
    if (stderr !== '') throw new Error(`${program} said on stderr: ${stderr}`);
    return stdout;
  }

  /** Runs Node.js in the project, another version if its path is given. @returns its output */
  async node(
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    node = process.execPath,
  ): Promise<{ readonly stdout: string; readonly stderr: string }> {
    const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...environment };
    const { stdout, stderr } = await run(node, args, { cwd: this.folder, env, timeout: 120_000 }).catch((error) => {
      throw new Error(`${args.join(' ')} failed\n${error.stdout}\n${error.stderr}`, { cause: error });
    });
    return { stdout: stdout.trim(), stderr: stderr.trim() };
  }

  /**
   * Compiles a program of `programs/`, or files of the project, and checks everything that they import, including declarations.
   * @returns the errors in them and in our declarations; those in other packages are not ours to fix
   */
  async compile(program: string | readonly string[], settings: CompilerSettings = {}): Promise<readonly string[]> {
    const sources = typeof program === 'string' ? [program.replace(/\.mjs$/, '.mts')] : program;
    if (typeof program === 'string') await this.#copy(program, sources[0]);
    const { compiler, module = 'nodenext', declarations = true } = settings;
    const resolution =
      module === 'bundler' ? ['--module', 'esnext', '--moduleResolution', module] : ['--module', module];
    const options = [
      ...['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess'],
      ...['--skipLibCheck', String(!declarations), ...resolution],
      ...['--target', 'es2022', '--lib', 'es2022', '--types', 'node'],
    ];
    const path = compiler === undefined ? newestCompiler : join(this.folder, compiler);
    const said = await run(process.execPath, [path, ...options, ...sources], { cwd: this.folder }).then(
      ({ stdout }) => stdout,
      ({ stdout }: { stdout: string }) => stdout,
    );
    // A complaint that names no file is about the options.
    return said
      .split('\n')
      .filter(
        (line) => /node_modules\/@rds-iam\/|^error /.test(line) || sources.some((source) => line.startsWith(source)),
      );
  }

  async #copy(program: string, as = program): Promise<void> {
    await copyFile(fileURLToPath(new URL(`../programs/${program}`, import.meta.url)), join(this.folder, as));
  }
}
