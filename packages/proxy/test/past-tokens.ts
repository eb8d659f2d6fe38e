import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, vi } from 'vitest';

const SIXTEEN_MINUTES_MS = 16 * 60_000;

/** The clock of the emulator and of the proxy jumps: every token that there was is too old then. */
export function letTokensExpire(): void {
  vi.setSystemTime(Date.now() + SIXTEEN_MINUTES_MS);
}

/** The process's clock stands still, but for jumps, for the rest of a test. */
export function holdClock(): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  onTestFinished(() => void vi.useRealTimers());
}

/** A program that connects, says as whom, and waits for a line before it does so again. */
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
