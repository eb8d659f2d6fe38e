/** The engines of RDS and Aurora that support IAM authentication. */
export type DatabaseEngine = 'postgres' | 'mysql' | 'mariadb';

/** Whether a version of an engine supports IAM authentication, according to AWS's table. */
export interface IamAvailability {
  readonly available: boolean;
  /** The version as numbers, as in `8.0.16`. */
  readonly version: string;
  /** The lowest version that supports it: in the same series, or in the next if no version of the series does. */
  readonly since: string;
}

/** The first version of each series that supports it, oldest series first. All series newer than the last support it too. */
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
 * authentication for MySQL and PostgreSQL", Availability. MariaDB from 10.6, and every newer series of all three: later
 * editions of the same page. Aurora has version numbers of its own, and the version that its servers report (such as MySQL
 * 5.7.12) must not be checked against this table.
 *
 * @param version - as a server or the RDS API reports it: `16.3`, `8.0.39`, `5.5.5-10.6.18-MariaDB-log`
 * @returns undefined if the text is not a version
 */
export function iamAvailability(engine: DatabaseEngine, version: string): IamAvailability | undefined {
  // MariaDB's greeting puts "5.5.5-" before its version, for the sake of old replicas.
  const found = /^(?:5\.5\.5-(?=\d+\.\d))?(\d+(?:\.\d+){0,3})/.exec(version);
  if (!found?.[1]) return undefined;
  const numbers = found[1].split('.').map(Number);
  const rows = FIRST[engine];
  // The first row whose series is this version's, or newer.
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
