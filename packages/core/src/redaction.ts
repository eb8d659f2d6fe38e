import { inspect } from 'node:util';

const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/[^\s"'`/]*\/?\?Action=connect&[^\s"'`]*/gi, '[token]'],
  [/(X-Amz-(?:Signature|Security-Token)=)[^&\s"'`]+/gi, '$1[redacted]'],
  [/((?:secret|session|security)[\w-]*(?:key|token)["'`]?\s*[:=]\s*["'`]?)[^\s"'`,}]+/gi, '$1[redacted]'],
];

/** A secret access key has 40 characters of base64, and nothing else that tells it. */
const BARE_SECRET =
  /(?<![A-Za-z0-9+/=])(?=[A-Za-z0-9+/]*[A-Z])(?=[A-Za-z0-9+/]*[0-9])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])/g;

/** A path from the root, through folders with names: of random keys, not one in a thousand begins so. */
const PATH = /^\/[A-Za-z0-9]{2,}\/(?:[A-Za-z0-9]+\/)*[A-Za-z0-9]+$/;
const STACK_FRAME = /^\s+at .*:\d+:\d+\)?$/;

/** Takes tokens, and what looks like a secret of AWS, out of a text. */
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

/** Causes deeper than this, or in a circle, are given as text. */
const DEEPEST = 8;

/**
 * The error itself where it holds no secret, else a copy of the same class without. A driver's error stays the very object
 * that the driver made; the copy is for providers and servers that put into their messages what they should not.
 */
export function withoutSecrets(error: unknown, depth = 0): unknown {
  const shown = inspect(error, { depth: 8, showHidden: true, breakLength: Number.POSITIVE_INFINITY });
  if (redact(shown) === shown) return error;
  if (!(error instanceof Error) || depth > DEEPEST) return redact(shown);
  const copy = Object.create(Object.getPrototypeOf(error));
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(error))) {
    // What an accessor would give is not known, and so is left out.
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
