// What Lambda does with a function in a new process: loads it by its path, and calls its handler, twice in the same process.
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const file = resolve(process.argv[2] ?? '');
const { handler } = file.endsWith('.cjs')
  ? createRequire(import.meta.url)(file)
  : await import(pathToFileURL(file).href);
const results = [await handler({ add: 1 }), await handler({ add: 2 })];
process.stdout.write(JSON.stringify(results));
// Lambda freezes the process and does not wait for its connections.
process.exit();
