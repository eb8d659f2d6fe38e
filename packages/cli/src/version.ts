/** The version in package.json, which a test holds it to: reading that file would need its place in each module format. */
export const VERSION = '0.0.0';
