import { describe, expect, test } from 'vitest';
import { hasTerminal, rdsIam, start, startInTerminal, tool } from './command-line.js';

const RED = '\x1b[31m';

describe.skipIf(!hasTerminal)('colours', () => {
  test('are there in a terminal', async () => {
    const { stdout } = await startInTerminal(['token']).outcome;
    expect(stdout).toContain(`rds-iam: ${RED}error`);
  });

  test('are not there with NO_COLOR', async () => {
    const { stdout } = await startInTerminal(['token'], { NO_COLOR: '1' }).outcome;
    expect(stdout).toContain('rds-iam: error: ');
    expect(stdout).not.toContain('\x1b[3');
  });

  test('are not there without a terminal', async () => {
    const { stderr } = await rdsIam(['token'], { TERM: 'xterm-256color' });
    expect(stderr).toContain('rds-iam: error: ');
    expect(stderr).not.toContain('\x1b');
  });
});

test('a reader who has had enough is no error', async () => {
  // The shell's colon reads nothing. What it does not read comes too late for it.
  const script = '{ "$@"; echo "ended with $?" >&2; } | :';
  const { stderr } = await start('sh', ['-c', script, 'sh', process.execPath, ...tool('--help')]).outcome;
  expect(stderr).toBe('ended with 0\n');
});
