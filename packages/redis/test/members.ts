import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

/** Starts a process of a fleet: a program beside this file, and what it is told. It ends with the test at the latest. */
export function startMember(program: string, member: object): ChildProcess {
  const child = spawn(process.execPath, [fileURLToPath(new URL(program, import.meta.url))], {
    env: { ...process.env, MEMBER: JSON.stringify(member), NODE_OPTIONS: '--conditions=@rds-iam/source --import=tsx' },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  onTestFinished(() => void child.kill());
  return child;
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
