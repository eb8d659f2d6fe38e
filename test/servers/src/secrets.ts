import { AssertionError } from 'node:assert';
import { inspect } from 'node:util';

/** Any signature or session token of a signed token, whatever its value. */
const SIGNED = /X-Amz-(?:Signature|Security-Token)=(?!\[redacted\])[^&\s"']+/i;

/**
 * Fails if a value (an error, a diagnostics event, a line of a log) shows one of these secrets, or any token, in one of
 * the ways in which values end up in logs: `inspect`, `toString`, JSON, the stack, and all of these along the causes.
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

function* shown(value: unknown, at = 'the value'): Generator<readonly [way: string, text: string]> {
  yield [`inspect() of ${at}`, inspect(value, { depth: 10, breakLength: Number.POSITIVE_INFINITY })];
  yield [
    `inspect() of ${at} with what is hidden`,
    inspect(value, { depth: 10, showHidden: true, breakLength: Number.POSITIVE_INFINITY }),
  ];
  yield [`String() of ${at}`, String(value)];
  yield [`the JSON of ${at}`, JSON.stringify(value) ?? ''];
  if (!(value instanceof Error)) return;
  yield [`the stack of ${at}`, value.stack ?? ''];
  yield [`the own properties of ${at}`, JSON.stringify(value, Object.getOwnPropertyNames(value))];
  if (value.cause !== undefined) yield* shown(value.cause, `the cause of ${at}`);
}

function fail(what: string, text: string): never {
  throw new AssertionError({ message: `${what}:\n${text}` });
}
