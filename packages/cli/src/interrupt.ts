import { constants } from 'node:os';
import { CliError } from './exit-code.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A signal from the user or the parent process has ended this. */
export class Interrupted extends CliError {
  override readonly name = 'Interrupted';
  override readonly code = 'ERR_RDS_IAM_INTERRUPTED';
  override readonly exitCode: number;
  readonly signal: NodeJS.Signals;

  /** @param state - how things stand after that */
  constructor(signal: NodeJS.Signals, state = 'interrupted') {
    super(state);
    this.signal = signal;
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** Runs work that a signal can end: its `AbortSignal` is then aborted with an {@link Interrupted}. */
export async function interruptible<Result>(run: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const ended = new AbortController();
  const end = (signal: NodeJS.Signals) => ended.abort(new Interrupted(signal));
  for (const signal of SIGNALS) process.on(signal, end);
  try {
    return await run(ended.signal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, end);
  }
}
