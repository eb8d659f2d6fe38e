import { styleText } from 'node:util';
import { EXIT, FailedError } from './exit-code.js';

/** Data, for a program or a pipe. */
export function print(text: string): void {
  write(`${text}\n`);
}

/** The same as it is, without an end of line. */
export function write(text: string): void {
  writeOut(text).catch(endWithout);
}

/** The same for what has to end in order if nobody gets the data. @throws FailedError, also where the reader is gone */
export async function printed(text: string): Promise<void> {
  try {
    await writeOut(`${text}\n`);
  } catch (cause) {
    throw new FailedError(unwritable(cause as Error), { cause });
  }
}

function writeOut(text: string): Promise<void> {
  const { stdout } = process;
  // The callback has the error, too.
  if (!stdout.listeners('error').includes(ignore)) stdout.on('error', ignore);
  return new Promise((resolve, reject) => stdout.write(text, (error) => (error ? reject(error) : resolve())));
}

/** Whoever reads our output may have read enough of it, as `head` does: that ends us without a word, as it does others. */
function endWithout(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(EXIT.readerGone);
  tell(unwritable(error), 'error');
  process.exit(EXIT.failed);
}

const unwritable = (error: Error) => `stdout cannot be written to: ${error.message}`;

/** Talk, for whoever looks on: with a red label if something went wrong. Colours only where the terminal has them. */
export function tell(text: string, label?: 'error' | 'warning'): void {
  // hasColors() heeds NO_COLOR, and is there on terminals only.
  const coloured = process.stderr.isTTY === true && process.stderr.hasColors();
  const paint = (word: string) => (coloured ? styleText(word === 'error' ? 'red' : 'yellow', word) : word);
  writeTalk(`rds-iam: ${label ? `${paint(label)}: ` : ''}${text}\n`);
}

/** An error for a program: one line of JSON in place of the text. */
export function tellJsonError(code: string, message: string): void {
  writeTalk(`${JSON.stringify({ error: { code, message } })}\n`);
}

/** As it is. The work goes on where nobody looks on any more. */
export function writeTalk(text: string): void {
  const { stderr } = process;
  if (!stderr.listeners('error').includes(ignore)) stderr.on('error', ignore);
  stderr.write(text);
}

function ignore(): void {}

/** Whether there is somebody to ask. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Asks at the terminal; only a y or yes is one. @throws the signal's reason, also where Ctrl-C is a key here */
export async function askYesNo(question: string, signal: AbortSignal): Promise<boolean> {
  const { createInterface } = await import('node:readline/promises');
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  // In a terminal that is being read key by key, Ctrl-C is no signal.
  asking.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  const closed = new AbortController();
  // Ctrl-D is no answer.
  asking.once('close', () => closed.abort());
  try {
    const answer = await asking.question(`rds-iam: ${question} (y/N) `, {
      signal: AbortSignal.any([signal, closed.signal]),
    });
    return /^y(?:es)?$/i.test(answer.trim());
  } catch (error) {
    writeTalk('\n');
    signal.throwIfAborted();
    if (closed.signal.aborted) return false;
    throw error;
  } finally {
    asking.close();
  }
}
