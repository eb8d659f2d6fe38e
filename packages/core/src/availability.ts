/** The engines of RDS and Aurora that know IAM authentication. */
export type DatabaseEngine = 'postgres' | 'mysql' | 'mariadb';

/** Whether a version of an engine has IAM authentication, by AWS's table. */
export interface IamAvailability {
  readonly available: boolean;
  /** The version as numbers, as in `8.0.16`. */
  readonly version: string;
  /** The lowest version that has it: of the same series, or of the next one where the series has it nowhere. */
  readonly since: string;
}

/** Of each series the first version that has it, oldest series first. All series newer than the last have it as well. */
const FIRST: Readonly<Record<DatabaseEngine, readonly (readonly number[])[]>> = {
  postgres: [
    [9, 5, 15],
    [9, 6, 11],
    [10, 6],
    [11, 0],
  ],
  mysql: [
    [5, 6, 34],
    [5, 7, 16],
    [8, 0, 16],
  ],
  mariadb: [[10, 6, 0]],
};

/**
 * Whether RDS has IAM authentication for a version of an engine. Pure.
 *
 * MySQL from 5.6.34, 5.7.16 and 8.0.16, PostgreSQL from 9.5.15, 9.6.11, 10.6 and 11: the RDS user guide, "IAM database
 * authentication for MySQL and PostgreSQL", Availability. MariaDB from 10.6, and every newer series of all three: the
 * later editions of the same page. The versions of Aurora are numbered by themselves, and what its servers say of theirs
 * (as MySQL 5.7.12) is not to be held to this table.
 *
 * @param version - as a server or the RDS API says it: `16.3`, `8.0.39`, `5.5.5-10.6.18-MariaDB-log`
 * @returns undefined where the text is no version
 */
export function iamAvailability(engine: DatabaseEngine, version: string): IamAvailability | undefined {
  // MariaDB greets with a version before its own, for the sake of old replicas.
  const found = /^(?:5\.5\.5-(?=\d+\.\d))?(\d+(?:\.\d+){0,3})/.exec(version);
  if (!found?.[1]) return undefined;
  const numbers = found[1].split('.').map(Number);
  const rows = FIRST[engine];
  // The first row that this version is not beyond the series of.
  const row = rows.find((first) => compare(numbers, first, first.length - 1) <= 0);
  if (!row) return { available: true, version: found[1], since: textOf(rows.at(-1) ?? []) };
  return { available: compare(numbers, row, row.length) >= 0, version: found[1], since: textOf(row) };
}

function compare(one: readonly number[], other: readonly number[], length: number): number {
  for (let at = 0; at < length; at++) {
    const difference = (one[at] ?? 0) - (other[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function textOf(numbers: readonly number[]): string {
  return numbers.at(-1) === 0 ? numbers.slice(0, -1).join('.') : numbers.join('.');
}
