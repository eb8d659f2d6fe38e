// The exit codes of the process, and the errors that have one.

/** The exit codes of every command; `exec` exits with its command's own. For a signal it is 128 plus its number. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  credentials: 3,
  notExecutable: 126,
  notFound: 127,
  interrupted: 130,
  /** The exit code of other programs after SIGPIPE. */
  readerGone: 141,
} as const;

/** An error that determines the exit code. */
export abstract class CliError extends Error {
  /** A stable code for `--json`. */
  abstract readonly code: string;
  abstract readonly exitCode: number;
}

/** A flag, an argument or a setting is missing or wrong; the message names it and the fix. */
export class UsageError extends CliError {
  override readonly name = 'UsageError';
  override readonly code = 'ERR_RDS_IAM_USAGE';
  override readonly exitCode = EXIT.usage;
}

/** The command did not succeed; the message says why. */
export class FailedError extends CliError {
  override readonly name = 'FailedError';
  override readonly code = 'ERR_RDS_IAM_FAILED';
  override readonly exitCode = EXIT.failed;
}

/** The exit code for any error: ours, core's or somebody else's. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode;
  switch (codeOf(error)) {
    case 'ERR_RDS_IAM_CONFIG':
    case 'ERR_RDS_IAM_REGION':
      return EXIT.usage;
    case 'ERR_RDS_IAM_CREDENTIALS':
      return EXIT.credentials;
    default:
      return EXIT.failed;
  }
}

/** The stable code of an error: ours, core's, or the system's, such as `EADDRINUSE`. */
export function codeOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : 'ERR_RDS_IAM_FAILED';
}
