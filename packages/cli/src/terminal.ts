import { styleText } from 'node:util';

/** Data, for a program or a pipe. */
export function print(text: string): void {
  write(`${text}\n`);
}

/** The same as it is, without an end of line. */
export function write(text: string): void {
  if (!process.stdout.listeners('error').includes(endWithReader)) process.stdout.on('error', endWithReader);
  process.stdout.write(text);
}

/** Whoever reads our output may have read enough of it, as `head` does. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
}

/** Talk, for whoever looks on: with a red label if something went wrong. Colours only where the terminal has them. */
export function tell(text: string, label?: 'error' | 'warning'): void {
  // hasColors() heeds NO_COLOR, and is there on terminals only.
  const coloured = process.stderr.isTTY === true && process.stderr.hasColors();
  const paint = (word: string) => (coloured ? styleText(word === 'error' ? 'red' : 'yellow', word) : word);
  process.stderr.write(`rds-iam: ${label ? `${paint(label)}: ` : ''}${text}\n`);
}
