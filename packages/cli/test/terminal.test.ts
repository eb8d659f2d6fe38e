import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { hasTerminal, KEYS, rdsIam, start, startInTerminal, tool } from './command-line.js';

const RED = '\x1b[31m';

describe.skipIf(!hasTerminal)('colors', () => {
  test('are used in a terminal', async () => {
    const { stdout } = await startInTerminal(['token']).outcome;
    expect(stdout).toContain(`rds-iam: ${RED}error`);
  });

  test('are not used with NO_COLOR', async () => {
    const { stdout } = await startInTerminal(['token'], { NO_COLOR: '1' }).outcome;
    expect(stdout).toContain('rds-iam: error: ');
    expect(stdout).not.toContain('\x1b[3');
  });

  test('are not used without a terminal', async () => {
    const { stderr } = await rdsIam(['token'], { TERM: 'xterm-256color' });
    expect(stderr).toContain('rds-iam: error: ');
    expect(stderr).not.toContain('\x1b');
  });
});

/** The end of the pipe, the shell's colon, reads nothing, and the output comes too late for it. */
const unread = (...args: string[]) =>
  start('sh', ['-c', '{ "$@"; echo "ended with $?" >&2; } | :', 'sh', process.execPath, ...tool(...args)]).outcome;

test.each([[['--help']], [['sql', '--engine', 'postgres', '--username', 'app']]])(
  '%j ends without a word, as SIGPIPE does others, when its reader has had enough',
  async (args) => {
    expect((await unread(...args)).stderr).toBe('ended with 141\n');
  },
);

test('a verdict that nobody has read is a failure', async () => {
  const { stderr } = await unread('doctor', 'postgres://app@127.0.0.1:9', '--region', 'eu-west-1', '--timeout', '1');
  expect(stderr).toBe('ended with 141\n');
});

test('the work goes on if nobody reads the messages', async () => {
  const script = 'exec 3>&1 4>&2; { "$@" 2>&1 >&3; echo "ended with $?" >&4; } | :';
  const args = tool('token', 'postgres://app:unused@mydb.abc123.eu-west-1.rds.amazonaws.com');
  const { stdout, stderr } = await start('sh', ['-c', script, 'sh', process.execPath, ...args], KEYS).outcome;
  expect(stdout).toContain('?Action=connect');
  expect(stderr).toBe('ended with 0\n');
});

test.skipIf(!existsSync('/dev/full'))('a full disk is an error that says so', async () => {
  const script = '"$@" > /dev/full';
  const args = tool('sql', '--engine', 'postgres', '--username', 'app');
  const { exitCode, stderr } = await start('sh', ['-c', script, 'sh', process.execPath, ...args]).outcome;
  expect(stderr).toBe('rds-iam: error: stdout cannot be written to: ENOSPC: no space left on device, write\n');
  expect(exitCode).toBe(1);
});
