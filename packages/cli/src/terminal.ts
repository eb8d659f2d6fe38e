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

/** An error for a program: one line of JSON in place of the text. */
export function tellJsonError(code: string, message: string): void {
  process.stderr.write(`${JSON.stringify({ error: { code, message } })}\n`);
}

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
    process.stderr.write('\n');
    signal.throwIfAborted();
    if (closed.signal.aborted) return false;
    throw error;
  } finally {
    asking.close();
  }
}
