import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { CREDENTIALS } from '@rds-iam/test-servers';
import { inject } from 'vitest';
import { askDns } from './ask-dns.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

export const KEYS = {
  AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
  AWS_SESSION_TOKEN: undefined,
};

type Variables = Readonly<Record<string, string | undefined>>;

export interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running command and its output so far. */
export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  /** Resolves once the output on either stream matches; rejects if it ends before. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  readonly outcome: Promise<Outcome>;
}

/** The arguments for Node.js that run the command line tool from its sources. */
export const tool = (...args: string[]) => [join(inject('rdsIam'), 'bin.mjs'), ...args];

/** An environment without the developer’s settings for databases, AWS and CI. */
function environment(variables: Variables): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(?:PG|MYSQL|DATABASE_URL|AWS_SDK_JS_|(?:FORCE_COLOR|NO_COLOR|CI)$)/.test(name),
  );
  return { ...Object.fromEntries(inherited), ...variables };
}

/** Starts a program like a user. */
export function start(program: string, args: readonly string[], variables: Variables = {}, cwd = root): Running {
  const child = spawn(program, args, { cwd, env: environment(variables) });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const closed = once(child, 'close');
  return {
    child,
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(`${stdout}${stderr}`);
          if (found) resolve(found);
          return found;
        };
        if (look()) return;
        child.stdout.on('data', look);
        child.stderr.on('data', look);
        child.once('close', () => look() ?? reject(new Error(`ended without ${pattern}: ${stdout}${stderr}`)));
      }),
    outcome: closed.then(([exitCode]) => ({ exitCode, stdout, stderr })),
  };
}

export async function rdsIam(args: readonly string[], variables: Variables = {}, cwd = root): Promise<Outcome> {
  const { child, outcome } = start(process.execPath, tool(...args), variables, cwd);
  child.stdin.end();
  return outcome;
}

/**
 * Runs a command line within this process, which has loaded the tool once for all of them: for tests without signals, a terminal
 * or stdin.
 *
 * @param dns - the DNS server to ask, `host:port`
 */
export async function runHere(args: readonly string[], variables: Variables = {}, dns?: string): Promise<Outcome> {
  const { main }: { main(args: readonly string[]): Promise<number> } = await import(join(inject('rdsIam'), 'main.mjs'));
  const before = { ...process.env };
  const [stdout, stderr] = [captured(process.stdout), captured(process.stderr)];
  const restoreDns = dns === undefined ? undefined : askDns(dns);
  try {
    become(environment(variables));
    const exitCode = await main(args);
    return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    become(before);
    restoreDns?.();
    for (const stream of [stdout, stderr]) stream.restore();
  }
}

function become(variables: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env)) if (variables[name] === undefined) delete process.env[name];
  for (const [name, value] of Object.entries(variables)) if (value !== undefined) process.env[name] = value;
}

/** Captures what is written to a stream. */
function captured(stream: NodeJS.WriteStream) {
  const { write } = stream;
  let text = '';
  stream.write = (chunk: string | Uint8Array, ...more: unknown[]) => {
    text += chunk;
    for (const each of more) if (typeof each === 'function') each();
    return true;
  };
  return {
    text: () => text,
    restore() {
      stream.write = write;
    },
  };
}

/** For NODE_OPTIONS: makes a process ask this DNS server, `host:port`, for aliases and for addresses. */
export function askingDns(address: string): string {
  const preload = `import { askDns } from '${pathToFileURL(join(inject('rdsIam'), 'ask-dns.mjs'))}'; askDns('${address}');`;
  return `--import=data:text/javascript,${encodeURIComponent(preload)}`;
}

/** Whether this machine has a program. */
export const has = (program: string) =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));

/** Whether pseudo-terminals are available, from util-linux. */
export const hasTerminal = process.platform === 'linux' && has('script');

/** Starts the command line tool in a pseudo-terminal, whose keyboard is its stdin. Both output streams then go to stdout. */
export function startInTerminal(args: readonly string[], variables: Variables = {}): Running {
  const quoted = [process.execPath, ...tool(...args)].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  // A shell in between would also get the Ctrl-C.
  return start('script', ['-qec', `exec ${quoted.join(' ')}`, '/dev/null'], { TERM: 'xterm-256color', ...variables });
}
