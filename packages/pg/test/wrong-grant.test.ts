import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { CREDENTIALS, RDS_HOSTNAME } from '@rds-iam/conformance';
import { expect, test } from 'vitest';
import { startStack } from './stack.js';

const PAGE = new URL('../../../docs/throttling.md', import.meta.url);
const SOURCE = new URL('../src/index.ts', import.meta.url);

/** A beginner's configuration, with nothing set except the endpoint. */
const PROGRAM = `
  import { Pool } from ${JSON.stringify(SOURCE.href)};
  const { iam } = JSON.parse(process.env.GIVEN);
  const pool = new Pool({ host: '${RDS_HOSTNAME}', user: 'app', database: 'shop', iam });
  await pool.query('select 1');`;

test('a user without a grant is told why in the terminal, as docs/throttling.md shows it', async () => {
  await using stack = await startStack({ hostnames: [RDS_HOSTNAME], tokenPort: 5432 });
  const { ca, port } = stack.emulator;
  // The server does not know these credentials, and refuses them just like those without a policy.
  const iam = { credentials: { ...CREDENTIALS, accessKeyId: 'AKIDOTHER' }, ca, dial: `127.0.0.1:${port}` };
  const child = spawn(
    process.execPath,
    ['--conditions=@rds-iam/source', '--import=tsx', '--input-type=module', '-e', PROGRAM],
    { env: { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1', GIVEN: JSON.stringify({ iam }) } },
  );
  const exit = once(child, 'exit');
  let terminal = '';
  child.stderr.setEncoding('utf8');
  for await (const chunk of child.stderr) {
    terminal += chunk;
    if (terminal.includes('--trace-warnings')) break;
  }
  child.kill();
  await exit;

  const [, shown] = /```console\n\$ node app\.js\n(.*?)```/s.exec(await readFile(PAGE, 'utf8')) ?? [];
  expect(constant(terminal)).toBe(constant(shown ?? ''));
  // A program that starts from its sources needs more than the usual time on a busy machine.
}, 120_000);

/** Replaces what differs from run to run: the process id, and the duration. */
function constant(terminal: string): string {
  return terminal.replace(/node:\d+/, 'node:PID').replace(/another \d+ s/, 'another N s');
}
