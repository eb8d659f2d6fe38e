// As in a project that has postgres.js and not pg: drizzle-kit takes the first that it finds.
import { register } from 'node:module';

register(
  `data:text/javascript,${encodeURIComponent(`
  export function resolve(specifier, context, next) {
    if (specifier === 'pg') throw Object.assign(new Error('no pg here'), { code: 'ERR_MODULE_NOT_FOUND' });
    return next(specifier, context);
  }`)}`,
);
