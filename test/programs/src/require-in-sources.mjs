// Packages load the package of a driver with `require` when it is needed, as they are published as CommonJS. Run from their
// sources they are ES modules, which have none: this is it.
import { createRequire } from 'node:module';

globalThis.require = createRequire(new URL('../package.json', import.meta.url));
