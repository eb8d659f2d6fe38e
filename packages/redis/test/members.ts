import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from '@rds-iam/conformance';
import { onTestFinished } from 'vitest';

/**
 * Prepares a program beside this file, whose processes are a fleet.
 *
 * @returns a function that starts one and tells it what it is to do; it ends with the test at the latest
 */
export async function fleetOf(program: string): Promise<(member: object) => ChildProcess> {
  const source = fileURLToPath(new URL(program, import.meta.url));
  const bundled = await bundle(await readFile(source, 'utf8'), dirname(source));
  onTestFinished(() => bundled[Symbol.dispose]());
  return (member) => {
    const child = spawn(process.execPath, [bundled.path], {
      env: { ...process.env, MEMBER: JSON.stringify(member) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    onTestFinished(() => void child.kill());
    return child;
  };
}

/** The next message of a member; fails if it ends instead. */
export function heardFrom(member: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (exitCode: number | null) => reject(new Error(`a member ended with ${exitCode}`));
    member.once('exit', ended);
    member.once('message', (message) => {
      member.off('exit', ended);
      resolve(message);
    });
  });
}
