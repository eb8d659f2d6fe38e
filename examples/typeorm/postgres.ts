import dataSource from './postgres-data-source.js';
import { runShop } from './shop.js';

await runShop(dataSource, (line) => process.stdout.write(`${line}\n`));
