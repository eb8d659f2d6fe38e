// The checks that several kinds of options share. Each throws a TypeError that names the option, what it got and what it accepts.

export function names(option: string, list: readonly string[]): readonly string[] {
  if (!Array.isArray(list)) fail(option, 'a list of strings', list);
  return list.map((name: string, index) => text(`${option}[${index}]`, name));
}

export function text(option: string, value: unknown, secret = false): string {
  if (typeof value !== 'string' || value === '') fail(option, 'a string that is not empty', value, secret);
  return value;
}

export function object(option: string, value: unknown): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(option, 'an object', value, true);
  return value;
}

export function integer(option: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    fail(option, `a whole number from ${min} to ${max}`, value);
  }
  return value;
}

export function oneOf(option: string, value: unknown, known: readonly string[]): void {
  if (value !== undefined && !known.includes(value as string)) fail(option, `one of "${known.join('", "')}"`, value);
}

/** Refuses unknown names: a misspelled fault or limit would silently do nothing. */
export function unknownNames(option: string, value: object, known: readonly string[]): void {
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined) fail(option, `an object of ${known.join(', ')}`, unknown);
}

/** For a value that may be a secret, the message only says what kind of value it is. */
export function fail(option: string, wanted: string, got: unknown, secret = false): never {
  const kind = Array.isArray(got) ? `a list of ${got.length}` : got === null ? 'null' : typeof got;
  const shown =
    !secret && (typeof got === 'string' || typeof got === 'number' || typeof got === 'boolean')
      ? JSON.stringify(got)
      : kind;
  throw new TypeError(`"${option}" must be ${wanted}, got ${got === '' ? 'an empty string' : shown}`);
}
