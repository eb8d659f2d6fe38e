import { AssertionError } from 'node:assert';
import { inspect } from 'node:util';

/** Any signature or session token of a signed token, whatever its value. */
const SIGNED = /X-Amz-(?:Signature|Security-Token)=(?!\[redacted\])[^&\s"']+/i;

/**
 * Fails if a value (an error, a diagnostics event, a line in a log) shows one of these secrets, or any token, in any of the ways
 * that values get into logs: `inspect`, `toString`, JSON, the stack, and the same for all causes.
 */
export function expectNoSecrets(value: unknown, secrets: readonly string[]): void {
  if (secrets.length === 0 || secrets.includes('')) throw new TypeError('no secret to look for: nothing was checked');
  for (const [way, text] of shown(value)) {
    for (const secret of secrets) {
      const found = [secret, encodeURIComponent(secret)].find((form) => text.includes(form));
      if (found) fail(`a secret is in ${way}`, text.replaceAll(found, '<<<SECRET>>>'));
    }
    if (SIGNED.test(text)) fail(`a token is in ${way}`, text.replace(SIGNED, '<<<TOKEN>>>'));
  }
}

const ALL = { depth: 12, maxStringLength: null, maxArrayLength: null, breakLength: Number.POSITIVE_INFINITY };

function* shown(value: unknown, at = 'the value'): Generator<readonly [way: string, text: string]> {
  yield [`inspect() of ${at}`, inspect(value, ALL)];
  yield [`inspect() of ${at} with what is hidden`, inspect(value, { ...ALL, showHidden: true })];
  yield [`String() of ${at}`, String(value)];
  yield [`the JSON of ${at}`, json(value)];
  if (!(value instanceof Error)) return;
  yield [`the stack of ${at}`, value.stack ?? ''];
  const names = Object.getOwnPropertyNames(value) as (keyof typeof value)[];
  yield [`the own properties of ${at}`, json(Object.fromEntries(names.map((name) => [name, value[name]])))];
  if (value.cause !== undefined) yield* shown(value.cause, `the cause of ${at}`);
}

/** Like `JSON.stringify`, but also for circular structures. */
function json(value: unknown): string {
  const seen = new WeakSet<object>();
  const text: string | undefined = JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === 'bigint') return String(inner);
    if (typeof inner !== 'object' || inner === null) return inner;
    if (seen.has(inner)) return '[seen]';
    seen.add(inner);
    return inner;
  });
  return text ?? '';
}

function fail(what: string, text: string): never {
  throw new AssertionError({ message: `${what}:\n${text}` });
}
