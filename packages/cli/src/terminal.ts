import { styleText } from 'node:util';
import { EXIT, FailedError } from './exit-code.js';

/** Data, for a program or a pipe. */
export function print(text: string): void {
  write(`${text}\n`);
}

/** Data without an added line break. */
export function write(text: string): void {
  writeOut(text).catch(endWithout);
}

/** For callers that have to clean up if nobody gets the data. @throws FailedError, even if only the reader is gone */
export async function printed(text: string): Promise<void> {
  try {
    await writeOut(`${text}\n`);
  } catch (cause) {
    throw new FailedError(unwritable(cause as Error), { cause });
  }
}

function writeOut(text: string): Promise<void> {
  const { stdout } = process;
  // The callback also gets the error.
  if (!stdout.listeners('error').includes(ignore)) stdout.on('error', ignore);
  return new Promise((resolve, reject) => stdout.write(text, (error) => (error ? reject(error) : resolve())));
}

/** A reader such as `head` may have read enough: we then end silently, as other programs do. */
function endWithout(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(EXIT.readerGone);
  tell(unwritable(error), 'error');
  process.exit(EXIT.failed);
}

const unwritable = (error: Error) => `stdout cannot be written to: ${error.message}`;

/** A message for the user, with a red label for an error. Colors only if the terminal supports them. */
export function tell(text: string, label?: 'error' | 'warning'): void {
  // hasColors() respects NO_COLOR, and exists only on terminals.
  const colored = process.stderr.isTTY === true && process.stderr.hasColors();
  const paint = (word: string) => (colored ? styleText(word === 'error' ? 'red' : 'yellow', word) : word);
  writeTalk(`rds-iam: ${label ? `${paint(label)}: ` : ''}${text}\n`);
}

/** An error for a program: one line of JSON in place of the text. */
export function tellJsonError(code: string, message: string): void {
  writeTalk(`${JSON.stringify({ error: { code, message } })}\n`);
}

/** Unformatted. The work goes on if nobody is reading any more. */
export function writeTalk(text: string): void {
  const { stderr } = process;
  if (!stderr.listeners('error').includes(ignore)) stderr.on('error', ignore);
  stderr.write(text);
}

function ignore(): void {}

/** Whether a user can be asked. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Asks on the terminal; only "y" or "yes" counts as yes. @throws the signal's reason, also for Ctrl-C at the prompt */
export async function askYesNo(question: string, signal: AbortSignal): Promise<boolean> {
  const { createInterface } = await import('node:readline/promises');
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  // In raw mode, Ctrl-C is a key and not a signal.
  asking.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  const closed = new AbortController();
  // Ctrl-D closes the prompt without an answer.
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
