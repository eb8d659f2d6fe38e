// How long modules take to import in this fresh process, as one that names them all does it.
const startedAt = performance.now();
await Promise.all(process.argv.slice(2).map((name) => import(name)));
process.stdout.write(String(performance.now() - startedAt));
