import { ErrorField, type ErrorFields } from '@rds-iam/wire/postgres';

/** The fields under postgres.js's names. */
const NAMES: Readonly<Record<string, string>> = {
  [ErrorField.localizedSeverity]: 'severity_local',
  [ErrorField.severity]: 'severity',
  [ErrorField.sqlState]: 'code',
  [ErrorField.detail]: 'detail',
  [ErrorField.hint]: 'hint',
  [ErrorField.where]: 'where',
  [ErrorField.file]: 'file',
  [ErrorField.line]: 'line',
  [ErrorField.routine]: 'routine',
};

export const messageOf = (fields: ErrorFields): string => fields.get(ErrorField.message) ?? 'the server gave no reason';

/** The server's error in the form that postgres.js would give it. */
export function serverError(fields: ErrorFields): Error {
  const named = [...fields].flatMap(([letter, value]) => (NAMES[letter] ? [[NAMES[letter], value] as const] : []));
  return Object.assign(new Error(messageOf(fields)), { name: 'PostgresError', ...Object.fromEntries(named) });
}
