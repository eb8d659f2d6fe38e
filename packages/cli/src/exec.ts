import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { CliError, codeOf, EXIT, UsageError } from './exit-code.js';
import { loginEnvironment } from './login-environment.js';
import type { Settings } from './settings.js';
import { sign } from './sign.js';
import { tell } from './terminal.js';
import type { UrlReader } from './tool.js';

const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;
/** A terminal sends these to every process in it, including the command. */
const SENT_BY_TERMINAL: readonly string[] = ['SIGINT', 'SIGQUIT'];

/** There is no such program, or the system cannot run it. */
class CannotRunError extends CliError {
  override readonly name = 'CannotRunError';
  override readonly code: string;
  override readonly exitCode: number;

  constructor(program: string, cause: NodeJS.ErrnoException) {
    const isMissing = cause.code === 'ENOENT';
    super(`${program} cannot be run: ${isMissing ? 'there is no such program' : cause.message}`, { cause });
    this.code = codeOf(cause);
    this.exitCode = isMissing ? EXIT.notFound : EXIT.notExecutable;
  }
}

export interface ExecRequest {
  /** A program and its arguments. */
  readonly command: readonly string[];
  /** The command's environment besides its login. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The variable that gets the URL. */
  readonly urlVariable: string;
  readonly urlReader: UrlReader;
  /** Whether the command is known to read libpq's variables. */
  readonly isLibpq: boolean;
}

/** Parses the command to run. @throws UsageError */
export function checkCommand({ command, urlVariable }: Pick<ExecRequest, 'command' | 'urlVariable'>): {
  readonly program: string;
  readonly args: readonly string[];
} {
  const [program, ...args] = command;
  if (program === undefined) throw new UsageError('there is no command: give it after --, as in rds-iam exec -- psql');
  if (!/^[A-Za-z_]\w*$/.test(urlVariable)) throw new UsageError('--url-env must be the name of a variable');
  return { program, args };
}

/** Runs a program with a login in its environment. @returns its exit code, or 128 plus the number of the signal that ended it */
export async function exec(
  settings: Settings,
  { command, environment: inherited, urlVariable, urlReader, isLibpq }: ExecRequest,
): Promise<number> {
  const { program, args } = checkCommand({ command, urlVariable });
  if (settings.dial !== undefined && !isLibpq) {
    tell(
      '--dial only affects programs that use libpq: others, such as drivers for Node.js, connect to the endpoint itself; for them, also give --proxy',
      'warning',
    );
  }
  const signed = await sign(settings);
  const environment = await loginEnvironment(signed, settings, {
    program,
    nodeExtraCa: inherited['NODE_EXTRA_CA_CERTS'],
    urlVariable,
    urlReader,
  });
  const { [Symbol.dispose]: dispose, variables } = environment;
  try {
    return await run(program, args, { ...inherited, ...variables });
  } finally {
    dispose();
  }
}

/** The system reports some errors synchronously, others later. */
function started(program: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  try {
    return spawn(program, args, { stdio: 'inherit', env });
  } catch (error) {
    throw new CannotRunError(program, error as NodeJS.ErrnoException);
  }
}

export async function run(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const child = started(program, args, environment);
  // Using process.stdout or stderr would make a pipe non-blocking for the command, too, which then loses output.
  const inTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
  const passOn = (signal: NodeJS.Signals) => {
    if (!(inTerminal && SENT_BY_TERMINAL.includes(signal))) child.kill(signal);
  };
  for (const signal of PASSED_ON) process.on(signal, passOn);
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    return code ?? 128 + constants.signals[signal ?? 'SIGTERM'];
  } catch (error) {
    throw new CannotRunError(program, error as NodeJS.ErrnoException);
  } finally {
    for (const signal of PASSED_ON) process.off(signal, passOn);
  }
}
