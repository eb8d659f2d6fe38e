// Finds out from the words of a command which tool it runs.
import { UsageError } from './exit-code.js';
import type { Engine } from './settings.js';

/** Who reads the URL that a command gets, if not libpq or a driver for Node.js. */
export type UrlReader = 'drivers' | 'prisma-engine' | 'dbmate';

/** Undefined for what the words do not say. */
export interface Tool {
  readonly engine: Engine | undefined;
  readonly urlReader: UrlReader | undefined;
  /** Whether it reads libpq's variables, including `PGHOSTADDR`. */
  readonly isLibpq: boolean;
}

/** Programs that run another program, whose name is among the words that follow. */
const LAUNCHERS =
  /^(?:env|sudo|nice|nohup|time|watch|sh|bash|npx|pnpx|bunx|npm|pnpm|yarn|bun|node|deno|exec|dlx|x|run)$/;

const POSTGRES = /^(?:psql|pgcli|pgbench|pg_\w+|(?:create|drop)(?:db|user)|(?:vacuum|reindex|cluster)db)$/;
const MYSQL = /^(?:mysql\w*|mariadb(?:-\w+)*|mycli|mydumper|myloader)$/;

/** Pure. @param command - a program and its arguments */
export function toolOf(command: readonly string[]): Tool {
  // A shell gets a whole command line in one argument.
  const words = command.flatMap((argument) => argument.trim().split(/\s+/)).map(nameOf);
  const name = words.find((word) => !(LAUNCHERS.test(word) || /^-|=/.test(word))) ?? '';
  return {
    engine: POSTGRES.test(name) || name === 'node-pg-migrate' ? 'postgres' : MYSQL.test(name) ? 'mysql' : undefined,
    isLibpq: POSTGRES.test(name),
    urlReader: name === 'dbmate' ? 'dbmate' : readerInPrisma(words),
  };
}

/** The name of the program in a path, or in a package with a version. */
function nameOf(word: string): string {
  return word.replace(/^.*[/\\]/, '').replace(/(?<=.)@.*$|\.(?:exe|cmd|[cm]?js)$/, '');
}

/** With the other's URL, neither would verify the server, so all words are searched. */
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
