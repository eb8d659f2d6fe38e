// The account that a PostgreSQL runs under on this machine.
import { chownSync, readdirSync, statSync } from 'node:fs';
import { UsageError } from '../exit-code.js';

/** Empty for our own. */
export interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

/** `nobody` on every Linux. */
const NOBODY: Account = { uid: 65_534, gid: 65_534 };

/** PostgreSQL refuses to run as root: in that case it runs as the owner of the data, or as `nobody`. */
export function accountFor(data: string): Account {
  if (process.getuid?.() !== 0) return {};
  const { uid, gid } = statSync(data);
  if (uid !== 0) return { uid, gid };
  if (readdirSync(data).length > 0) {
    throw new UsageError(`--data belongs to root, and PostgreSQL does not run as root: give a new folder, or chown it`);
  }
  chownSync(data, 65_534, 65_534);
  return NOBODY;
}
