#!/usr/bin/env node
import { HELP } from './help.js';
import { write } from './terminal.js';

const argv = process.argv.slice(2);
const [first, ...more] = argv;

if (HELP !== undefined && first === '--help' && more.length === 0) {
  write(HELP);
} else {
  void import('./main.js')
    .then(({ main }) => main(argv))
    .then((exitCode) => {
      process.exitCode = exitCode;
    });
}
