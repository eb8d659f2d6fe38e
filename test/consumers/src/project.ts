import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const compiler = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc');

/** An empty project, as somebody would begin one, in which packages are installed with npm. */
export class Project implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async create(): Promise<Project> {
    const folder = await mkdtemp(join(tmpdir(), 'rds-iam-consumer-'));
    await writeFile(join(folder, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }\n');
    return new Project(folder);
  }

  async install(...what: readonly string[]): Promise<void> {
    await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...what], { cwd: this.#folder });
  }

  /** The names of all that is installed, scopes included. */
  async installed(): Promise<readonly string[]> {
    const modules = join(this.#folder, 'node_modules');
    const names = await readdir(modules);
    const scoped = names.filter((name) => name.startsWith('@'));
    const inScopes = await Promise.all(
      scoped.map(async (scope) => (await readdir(join(modules, scope))).map((name) => `${scope}/${name}`)),
    );
    return [...names, ...inScopes.flat()];
  }

  /** Runs a program of `programs/` in the project; what it printed. */
  async run(program: string, environment: Readonly<Record<string, string>>): Promise<string> {
    await this.#copy(program);
    const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...environment };
    const { stdout } = await run(process.execPath, [program], { cwd: this.#folder, env, timeout: 20_000 });
    return stdout.trim();
  }

  /**
   * Compiles a program of `programs/` with everything checked that it brings in, declarations of packages included; what
   * the compiler says of it and of our declarations. What others ship is theirs to mend.
   */
  async compile(program: string): Promise<readonly string[]> {
    const source = program.replace(/\.mjs$/, '.mts');
    await this.#copy(program, source);
    const options = [
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      'false',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--types',
      'node',
    ];
    const said = await run(process.execPath, [compiler, ...options, '--lib', 'es2023,esnext.disposable', source], {
      cwd: this.#folder,
    }).then(
      ({ stdout }) => stdout,
      ({ stdout }: { stdout: string }) => stdout,
    );
    return said.split('\n').filter((line) => line.startsWith(source) || line.includes('node_modules/@rds-iam/'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #copy(program: string, as = program): Promise<void> {
    await copyFile(fileURLToPath(new URL(`../programs/${program}`, import.meta.url)), join(this.#folder, as));
  }
}
