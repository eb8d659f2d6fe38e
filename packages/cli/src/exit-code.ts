// What a process ends with, and the errors that say so.

/** Exit codes of every command; `exec` ends with its command's own. */
export const EXIT = { ok: 0, failed: 1, usage: 2, credentials: 3, notExecutable: 126, notFound: 127 } as const;

/** A flag, an argument or a setting is missing or wrong; the message names it and the fix. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The code for an error of ours, of core's or of anybody's. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  switch ((error as { readonly code?: unknown } | null)?.code) {
    case 'ERR_RDS_IAM_CONFIG':
    case 'ERR_RDS_IAM_REGION':
      return EXIT.usage;
    case 'ERR_RDS_IAM_CREDENTIALS':
      return EXIT.credentials;
    default:
      return EXIT.failed;
  }
}
