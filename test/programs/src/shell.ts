// A shell like that of a reader of the documentation, with rds-iam, npm, npx and the databases' clients on its PATH.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Outcome, PretendedRds, Variables } from './rds.js';

const bin = fileURLToPath(new URL('../../../packages/cli/dist/cjs/bin.js', import.meta.url));
const own = (name: string) => fileURLToPath(new URL(`commands/${name}.mjs`, import.meta.url));

/** The path of a program on this machine. */
function find(program: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find(existsSync);
}

/** The clients of the databases. */
const CLIENTS = ['psql', 'mariadb', 'mysql'] as const;
/** The clients that a script calls and this machine lacks. */
export const missingClients = (script: string): string[] =>
  CLIENTS.filter((client) => new RegExp(`(?:^|[|(]|-- |")\\s*${client}\\b`, 'm').test(script) && !find(client));

/** Makes a folder of programs that take precedence in a script's PATH. */
export function makeCommands(folder: string, { emulators }: PretendedRds): void {
  mkdirSync(folder, { recursive: true });
  const node = (...args: string[]) => `exec '${[process.execPath, ...args].join("' '")}' "$@"`;
  const at = (engine: string) => emulators[engine]?.port;
  const scripts: Record<string, string | undefined> = {
    'rds-iam': `echo $$ > "$RDS_IAM_PID_FILE"; ${node(bin)}`,
    npm: node(own('npm')),
    aws: 'echo "no test reaches AWS: aws $*" >&2; exit 1',
    npx: node(own('npx')),
    dbmate: node(own('npx'), 'dbmate'),
    // RDS names lead to the emulators; everything else, such as verification, is up to the script.
    // A local port leads there by itself.
    psql: clientScript(
      'psql',
      (real) =>
        `[ "\${PGHOST-}" != 127.0.0.1 ] || exec ${real} "$@"\nPGHOSTADDR=127.0.0.1 PGPORT=${at('postgres')} exec ${real} "$@"`,
    ),
    mariadb: clientScript('mariadb', (real) => `exec ${real} --host=127.0.0.1 --port=${at('mysql')} "$@"`),
    mysql: clientScript('mysql', (real) => `exec ${real} --host=127.0.0.1 --port=${at('mysql')} "$@"`),
  };
  for (const [name, script] of Object.entries(scripts)) {
    if (script === undefined) continue;
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
}

function clientScript(client: string, script: (real: string) => string): string | undefined {
  const real = find(client);
  return real && script(real);
}

/** For a script that runs all the tools of other projects, on a busy machine. */
export const SCRIPT_TIMEOUT_MS = 120_000;

/** What `rds-iam emulate` and `rds-iam proxy` print once they serve. */
const SERVES = /Ctrl-C ends it/;

/** Runs a script with `sh -eu`; if it ends with a server, that is stopped once it serves. */
export async function runShell(
  script: string,
  cwd: string,
  commands: string,
  { variables, emulators }: PretendedRds,
  more: Variables,
): Promise<Outcome> {
  const pidFile = join(commands, 'rds-iam.pid');
  const authorities = Object.values(emulators).map(({ ca }) => ca);
  writeFileSync(join(cwd, 'global-bundle.pem'), authorities.join('\n'));
  const child = spawn('/bin/sh', ['-eu', '-c', script], {
    cwd,
    env: {
      ...variables,
      // Without the developer's .psqlrc, .pgpass and .my.cnf.
      HOME: cwd,
      PATH: `${commands}${delimiter}${variables['PATH']}`,
      RDS_IAM_PID_FILE: pidFile,
      PRISMA_SCHEMA_ENGINE_BINARY: fileURLToPath(new URL('prisma-engine.mjs', import.meta.url)),
      CHECKPOINT_DISABLE: '1',
      ...more,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: SCRIPT_TIMEOUT_MS,
  });
  const said = { stdout: '', stderr: '' };
  let told = false;
  child.stdout.on('data', (chunk) => {
    said.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    said.stderr += chunk;
    if (told || !SERVES.test(said.stderr)) return;
    told = true;
    if (!/ &$/m.test(script)) process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGINT');
  });
  const [exitCode] = await once(child, 'close');
  return { exitCode, ...said };
}
