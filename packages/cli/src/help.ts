/** What --help prints, once the package is built: reading it takes a third of the time that the parser takes to load. */
export const HELP: string | undefined = undefined;
