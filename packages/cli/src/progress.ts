import { tell } from './terminal.js';

/** Shows what is being waited for. */
export interface Progress {
  /** @param state - the part that changes rarely; printed once if there is no terminal */
  show(state: string, detail: string): void;
  stop(): void;
}

/** In a terminal a spinner, otherwise a line for each new state. */
export async function startProgress(): Promise<Progress> {
  if (process.stderr.isTTY !== true) {
    let last: string | undefined;
    return {
      show(state) {
        if (state !== last) tell(state);
        last = state;
      },
      stop() {},
    };
  }
  const { default: yoctoSpinner } = await import('yocto-spinner');
  // Its own signal handling would end the process before we can say how things stand.
  const spinner = yoctoSpinner({ stream: process.stderr, handleSignals: false });
  return {
    show(state, detail) {
      spinner.text = `${state}, ${detail}`;
      spinner.start();
    },
    stop: () => void spinner.stop(),
  };
}
