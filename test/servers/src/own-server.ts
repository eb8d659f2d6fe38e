import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A program that runs in the server's folder. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly options: { readonly uid?: number; readonly gid?: number; readonly argv0?: string };
}

export interface OwnServerOptions {
  /** As in "MariaDB did not start". */
  readonly name: string;
  /** From `makeFolder`; removed when the server has ended. */
  readonly folder: string;
  /** Programs that run before the server, one after the other. */
  readonly prepare: readonly Command[];
  readonly serve: Command;
  /** The line in the log that says that the server is ready. */
  readonly ready: RegExp;
  readonly stopSignal: 'SIGINT' | 'SIGKILL';
}

/** A server process that ends with this process, even if this one is killed. */
export interface OwnServer {
  /** The server's log so far. */
  log(): string;
  /** Stops the server like `close`, and starts it again; waits until it answers. */
  restart(): Promise<void>;
  /** Ends the server and removes its folder. */
  close(): Promise<void>;
}

// Database servers refuse to run as root; `nobody` exists on every Unix, so no account has to be created.
const NOBODY = 65_534;
const asRoot = process.getuid?.() === 0;

/** The account that servers run as, for `spawn`: ours, unless that is root. */
export const account: Command['options'] = asRoot ? { uid: NOBODY, gid: NOBODY } : {};

/** Makes a server's folder. Nothing may be awaited between this and `runOwnServer`, which takes care of removing it. */
export function makeFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `rds-iam-${name}-`));
  if (asRoot) {
    chmodSync(folder, 0o755);
    chownSync(folder, NOBODY, NOBODY);
  }
  return folder;
}

/** Writes a file to a server's folder that only the server can read. @returns its path */
export function writePrivate(folder: string, name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content, { mode: 0o600 });
  if (asRoot) chownSync(path, NOBODY, NOBODY);
  return path;
}

/** Runs a server under a supervisor, and waits until it answers. */
export async function runOwnServer({ name, ready, ...options }: OwnServerOptions): Promise<OwnServer> {
  const supervisor = spawn(
    process.execPath,
    [fileURLToPath(new URL('./supervisor.mjs', import.meta.url)), JSON.stringify(options)],
    { stdio: ['pipe', 'pipe', 'pipe'], detached: true },
  );
  let log = '';
  let read = () => {};
  for (const output of [supervisor.stdout, supervisor.stderr]) {
    output.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      read();
    });
  }
  const exited = once(supervisor, 'exit');
  /** @param from - the position in the log where this start begins */
  const started = (from: number) =>
    new Promise<void>((resolve, reject) => {
      read = () => {
        if (ready.test(log.slice(from))) resolve();
      };
      void exited.then(() => reject(new Error(`${name} did not start:\n${log}`)));
    });
  await started(0);
  // The server must not keep a finished test process alive.
  supervisor.unref();
  for (const stream of [supervisor.stdin, supervisor.stdout, supervisor.stderr]) {
    (stream as unknown as { unref(): void }).unref();
  }
  return {
    log: () => log,
    restart() {
      const restarted = started(log.length);
      supervisor.stdin.write('restart\n');
      return restarted;
    },
    async close() {
      supervisor.stdin.end();
      supervisor.ref();
      await exited;
    },
  };
}

/** A free port on loopback, outside the range that kernels use for outgoing connections in the meantime. */
export async function freePort(): Promise<number> {
  for (;;) {
    const probe = createServer();
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const listening = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!listening) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
}
