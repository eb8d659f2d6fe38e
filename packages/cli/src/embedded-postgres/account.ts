// Whose account of this machine a PostgreSQL runs as.
import { chownSync, readdirSync, statSync } from 'node:fs';
import { UsageError } from '../exit-code.js';

/** Ours, if it is empty. */
export interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

/** `nobody` of every Linux. */
const NOBODY: Account = { uid: 65_534, gid: 65_534 };

/** PostgreSQL refuses to run as root: the owner of the data runs it then, or nobody. */
export function accountFor(data: string): Account {
  if (process.getuid?.() !== 0) return {};
  const { uid, gid } = statSync(data);
  if (uid !== 0) return { uid, gid };
  if (readdirSync(data).length > 0) {
    throw new UsageError(
      `--data is a folder of root's, and PostgreSQL does not run as root: give a new one, or chown it`,
    );
  }
  chownSync(data, 65_534, 65_534);
  return NOBODY;
}
