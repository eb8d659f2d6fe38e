import { tell } from './terminal.js';

/** What is being waited for, for whoever looks on. */
export interface Progress {
  /** @param state - what changes seldom: said once where there is no terminal */
  show(state: string, detail: string): void;
  stop(): void;
}

/** In a terminal a line that moves, else a line for each new state. */
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
  // Its own way with signals would end the process before it can say how things stand.
  const spinner = yoctoSpinner({ stream: process.stderr, handleSignals: false });
  return {
    show(state, detail) {
      spinner.text = `${state}, ${detail}`;
      spinner.start();
    },
    stop: () => void spinner.stop(),
  };
}
