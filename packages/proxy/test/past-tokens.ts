import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, vi } from 'vitest';

const SIXTEEN_MINUTES_MS = 16 * 60_000;

/** Makes the clocks of the emulator and the proxy jump, so that every existing token has expired. */
export function letTokensExpire(): void {
  vi.setSystemTime(Date.now() + SIXTEEN_MINUTES_MS);
}

/** Stops the process's clock, except for jumps, for the rest of a test. */
export function holdClock(): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  onTestFinished(() => void vi.useRealTimers());
}

/** Starts a program that connects, prints its user, and waits for a line before it does so again. */
export async function loginsPastTokens(program: string, args: readonly string[], user: string): Promise<void> {
  holdClock();
  const child = spawn(program, args);
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  for (let time = 0; time < 4; time++) {
    const { value } = await lines.next();
    expect(`${value} ${said}`).toBe(`${user} `);
    letTokensExpire();
    child.stdin.write('again\n');
  }
  child.stdin.end();
}
