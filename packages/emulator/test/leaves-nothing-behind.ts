import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Runs a program that closes an emulator with sessions and half-open logins, and must then end by itself. @returns its output */
export async function leavesNothing(
  engine: 'postgres' | 'mysql',
  { hostname, port }: { hostname: string; port: number },
): Promise<string> {
  const program = fileURLToPath(new URL('./leaves-nothing.ts', import.meta.url));
  const fromSource = ['--conditions=@rds-iam/source', '--import', 'tsx', program];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...fromSource, engine, JSON.stringify({ hostname, port })],
    { cwd: fileURLToPath(new URL('..', import.meta.url)), timeout: 20_000 },
  );
  return stdout.trim();
}
