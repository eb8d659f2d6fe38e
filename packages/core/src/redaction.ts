import { inspect } from 'node:util';

const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/[^\s"'`/]*\/?\?Action=connect&[^\s"'`]*/gi, '[token]'],
  [/(X-Amz-(?:Signature|Security-Token)=)[^&\s"'`]+/gi, '$1[redacted]'],
  [/((?:secret|session|security)[\w-]*(?:key|token)["'`]?\s*[:=]\s*["'`]?)[^\s"'`,}]+/gi, '$1[redacted]'],
];

/** A secret access key is 40 characters of base64, and nothing else identifies it. */
const BARE_SECRET =
  /(?<![A-Za-z0-9+/=])(?=[A-Za-z0-9+/]*[A-Z])(?=[A-Za-z0-9+/]*[0-9])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])/g;

/** An absolute path through named folders: not one random key in a thousand begins like this. */
const PATH = /^\/[A-Za-z0-9]{2,}\/(?:[A-Za-z0-9]+\/)*[A-Za-z0-9]+$/;
const STACK_FRAME = /^\s+at .*:\d+:\d+\)?$/;

/** Removes tokens, and whatever looks like an AWS secret, from a text. */
export function redact(text: string): string {
  const redacted = SECRETS.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), text);
  return redacted
    .split('\n')
    .map((line) => (STACK_FRAME.test(line) ? line : line.replace(BARE_SECRET, redactUnlessPath)))
    .join('\n');
}

function redactUnlessPath(found: string): string {
  return PATH.test(found) ? found : '[redacted]';
}

/** Causes that are nested deeper than this, or in a circle, are replaced by their text. */
const DEEPEST = 8;

/**
 * The error itself if it contains no secret, otherwise a copy of the same class without it. A driver's error thus stays the
 * object that the driver made; the copy is for providers and servers whose messages contain what they should not.
 */
export function withoutSecrets(error: unknown, depth = 0): unknown {
  const shown = inspect(error, { depth: 8, showHidden: true, breakLength: Number.POSITIVE_INFINITY });
  if (redact(shown) === shown) return error;
  if (!(error instanceof Error) || depth > DEEPEST) return redact(shown);
  const copy = Object.create(Object.getPrototypeOf(error));
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(error))) {
    // The value of an accessor is unknown, so it is left out.
    if ('value' in property)
      Object.defineProperty(copy, name, { ...property, value: valueWithoutSecrets(property.value, depth + 1) });
  }
  Object.defineProperty(copy, 'stack', { value: redact(error.stack ?? ''), configurable: true, writable: true });
  return copy;
}

function valueWithoutSecrets(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return redact(value);
    case 'object':
      return value === null ? null : withoutSecrets(value, depth);
    case 'function':
      return undefined;
    default:
      return value;
  }
}
