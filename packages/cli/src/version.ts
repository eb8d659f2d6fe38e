/** The version in package.json; a test checks that they agree. Reading that file would need its path in each module format. */
export const VERSION = '0.0.0';
