// What the words of a command tell of the tool that it runs.
import { UsageError } from './exit-code.js';
import type { Engine } from './settings.js';

/** Who reads the URL that a command gets, where it is not a driver of Node.js or libpq. */
export type UrlReader = 'drivers' | 'prisma-engine' | 'dbmate';

/** Undefined is what the words do not tell. */
export interface Tool {
  readonly engine: Engine | undefined;
  readonly urlReader: UrlReader | undefined;
  /** Whether it takes libpq's variables, `PGHOSTADDR` too. */
  readonly isLibpq: boolean;
}

/** What runs another program, whose name is among the words that follow. */
const LAUNCHERS =
  /^(?:env|sudo|nice|nohup|time|watch|sh|bash|npx|pnpx|bunx|npm|pnpm|yarn|bun|node|deno|exec|dlx|x|run)$/;

const POSTGRES = /^(?:psql|pgcli|pgbench|pg_\w+|(?:create|drop)(?:db|user)|(?:vacuum|reindex|cluster)db)$/;
const MYSQL = /^(?:mysql\w*|mariadb(?:-\w+)*|mycli|mydumper|myloader)$/;

/** Pure. @param command - a program and its arguments */
export function toolOf(command: readonly string[]): Tool {
  // A shell has a whole command line in one argument.
  const words = command.flatMap((argument) => argument.trim().split(/\s+/)).map(nameOf);
  const name = words.find((word) => !(LAUNCHERS.test(word) || /^-|=/.test(word))) ?? '';
  return {
    engine: POSTGRES.test(name) || name === 'node-pg-migrate' ? 'postgres' : MYSQL.test(name) ? 'mysql' : undefined,
    isLibpq: POSTGRES.test(name),
    urlReader: name === 'dbmate' ? 'dbmate' : readerInPrisma(words),
  };
}

/** Of a path or a package with its version, the name of the program. */
function nameOf(word: string): string {
  return word.replace(/^.*[/\\]/, '').replace(/(?<=.)@.*$|\.(?:exe|cmd|[cm]?js)$/, '');
}

/** With the URL of the other, each would verify nobody: so it is looked for among all words. */
function readerInPrisma(words: readonly string[]): UrlReader | undefined {
  const readers = words.flatMap((word, at): UrlReader[] => {
    if (word !== 'prisma') return [];
    const [subcommand, action] = words.slice(at + 1);
    if (subcommand === 'studio' || (subcommand === 'db' && action === 'seed')) return ['drivers'];
    return subcommand === 'migrate' || subcommand === 'db' ? ['prisma-engine'] : [];
  });
  const [reader] = readers;
  if (readers.some((other) => other !== reader)) {
    throw new UsageError("Prisma's migrations and its Studio take different URLs: run each with an exec of its own");
  }
  return reader;
}
