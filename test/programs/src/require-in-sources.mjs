// Packages load the package of a driver with `require` when it is needed, as they are published as CommonJS. Run from their
// sources they are ES modules, which have none: this is it, finding what any of them depends on.
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';

const packages = new URL('../../../packages/', import.meta.url);
const requires = readdirSync(packages).map((name) => createRequire(new URL(`${name}/package.json`, packages)));

globalThis.require = (specifier) => {
  const finder = requires.find((require) => {
    try {
      return require.resolve(specifier);
    } catch {
      return false;
    }
  });
  return (finder ?? requires[0])(specifier);
};
