import { inspect } from 'node:util';

const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/[^\s"'`/]*\/?\?Action=connect&[^\s"'`]*/gi, '[token]'],
  [/(X-Amz-(?:Signature|Security-Token)=)[^&\s"'`]+/gi, '$1[redacted]'],
  [/((?:secret|session|security)[\w-]*(?:key|token)["'`]?\s*[:=]\s*["'`]?)[^\s"'`,}]+/gi, '$1[redacted]'],
  [
    /(?<![A-Za-z0-9+/=])(?=[A-Za-z0-9+/]*[A-Z])(?=[A-Za-z0-9+/]*[0-9])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])/g,
    '[redacted]',
  ],
];

/** Takes tokens, and what looks like a secret of AWS, out of a text. */
export function redact(text: string): string {
  return SECRETS.reduce((redacted, [pattern, replacement]) => redacted.replace(pattern, replacement), text);
}

/**
 * The error itself where it holds no secret, else a copy without. A driver's error stays the very object that the driver
 * made; the copy is for providers and servers that put into their messages what they should not.
 */
export function withoutSecrets(error: unknown): unknown {
  const shown = inspect(error, { depth: 8, showHidden: true, breakLength: Number.POSITIVE_INFINITY });
  if (redact(shown) === shown) return error;
  if (!(error instanceof Error)) return redact(shown);
  const copy = new Error(
    redact(error.message),
    error.cause === undefined ? {} : { cause: withoutSecrets(error.cause) },
  );
  copy.name = error.name;
  copy.stack = redact(error.stack ?? '');
  return 'code' in error ? Object.assign(copy, { code: error.code }) : copy;
}
