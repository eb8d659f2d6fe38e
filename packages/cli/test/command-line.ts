import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CREDENTIALS } from '@rds-iam/test-servers';
import { inject } from 'vitest';

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

/** A command that runs, and what it has said so far. */
export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  /** Resolves once what it has said on either stream matches; rejects if it ends before. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  readonly outcome: Promise<Outcome>;
}

/** The arguments of Node.js that are the command line tool, made of its sources. */
export const tool = (...args: string[]) => [inject('rdsIam'), ...args];

/** Starts a program as a person does, in an environment with nothing of the developer’s databases, AWS and CI in it. */
export function start(program: string, args: readonly string[], variables: Variables = {}, cwd = root): Running {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(?:PG|MYSQL|DATABASE_URL|AWS_SDK_JS_|(?:FORCE_COLOR|NO_COLOR|CI)$)/.test(name),
  );
  const child = spawn(program, args, { cwd, env: { ...Object.fromEntries(inherited), ...variables } });
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

/** For NODE_OPTIONS: has a process ask this DNS server, `host:port`, for aliases and for addresses. */
export function askingDns(address: string): string {
  const preload = `
    import dns from 'node:dns';
    import { syncBuiltinESMExports } from 'node:module';
    import { isIP } from 'node:net';
    dns.setServers(['${address}']);
    dns.promises.setServers(['${address}']);
    const own = (name) => isIP(name) !== 0 || name === 'localhost';
    const { lookup } = dns;
    dns.lookup = (name, options, callback) => {
      if (own(name)) return lookup(name, options, callback);
      const { all } = options;
      dns.resolve4(name, (error, found) => {
        if (error) return callback(error);
        if (all) return callback(null, found.map((address) => ({ address, family: 4 })));
        callback(null, found[0], 4);
      });
    };
    const { lookup: promised } = dns.promises;
    dns.promises.lookup = async (name, options) => {
      if (own(name)) return promised(name, options);
      const found = (await dns.promises.resolve4(name)).map((address) => ({ address, family: 4 }));
      return options?.all ? found : found[0];
    };
    syncBuiltinESMExports();`;
  return `--import=data:text/javascript,${encodeURIComponent(preload)}`;
}

/** Whether this machine has a program. */
export const has = (program: string) =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));

/** Whether there are pseudo-terminals to be had, of util-linux. */
export const hasTerminal = process.platform === 'linux' && has('script');

/** Starts the command line tool in a pseudo-terminal, whose keys are its stdin. Both its streams are on stdout then. */
export function startInTerminal(args: readonly string[], variables: Variables = {}): Running {
  const quoted = [process.execPath, ...tool(...args)].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  // A shell that stays in between would take the Ctrl-C as well.
  return start('script', ['-qec', `exec ${quoted.join(' ')}`, '/dev/null'], { TERM: 'xterm-256color', ...variables });
}
