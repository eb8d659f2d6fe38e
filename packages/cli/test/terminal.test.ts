import { describe, expect, test } from 'vitest';
import { hasTerminal, rdsIam, startInTerminal } from './command-line.js';

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
