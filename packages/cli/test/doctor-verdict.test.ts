// How the doctor's steps are printed, and the conclusion.
import { describe, expect, test } from 'vitest';
import { describeStep, judgeAll } from '../src/doctor/report.js';
import { failed, notChecked, passed } from '../src/doctor/step.js';
import { shellWord } from '../src/shell-word.js';

describe('the verdict', () => {
  const cause = { diagnosis: 'port-closed', why: 'closed', fix: [{ shell: 'open it' }] } as const;

  test("the exit code is the login's, and what was not checked is not a success", () => {
    expect(judgeAll([failed('clock', '', [cause]), passed('login', '')])).toEqual({
      ...{ works: true, cause: undefined, exitCode: 0 },
    });
    expect(judgeAll([notChecked('login', '')])).toEqual({ works: false, cause: undefined, exitCode: 1 });
    expect(judgeAll([failed('tcp', '', [cause]), notChecked('login', '')])).toMatchObject({ cause, exitCode: 1 });
    expect(judgeAll([failed('credentials', '', [cause])]).exitCode).toBe(3);
  });

  test('a wrong clock comes before credentials that it makes look expired', () => {
    const clock = { ...cause, diagnosis: 'clock-skew' } as const;
    const steps = [failed('credentials', '', [cause]), failed('clock', '', [clock]), notChecked('login', '')];
    expect(judgeAll(steps)).toEqual({ works: false, cause: clock, exitCode: 3 });
  });

  test('text from a server cannot control the terminal', () => {
    const hostile = 'a\x1b[2Jb\nc';
    const step = failed('tls', `${hostile}!`, [
      { diagnosis: 'other', why: hostile, fix: [{ do: hostile }, { sql: hostile }] },
    ]);
    const text = describeStep(step, [], (_, label) => label);
    expect(text.split('\n')).toHaveLength(4);
    expect(text).not.toContain('\x1b');
  });

  test('a cause is described once, and in color if that is wanted', () => {
    const first = failed('policy', 'denied', [cause]);
    const paint = (style: string, text: string) => `<${style}>${text}</>`;
    expect(describeStep(first, [], paint)).toBe(
      '<red>FAILED</>       policy       denied\n             closed\n               $ open it',
    );
    expect(describeStep(failed('login', 'refused', [cause]), [first], paint)).toMatch(/\n {13}closed: see policy$/);
  });

  test.each([
    ['a-b_c.d', 'a-b_c.d'],
    ['a b', "'a b'"],
    ["a'b", "'a'\\''b'"],
    ['$(x)', "'$(x)'"],
    ['', "''"],
  ])('%j is quoted for a shell as %s', (text, word) => {
    expect(shellWord(text)).toBe(word);
  });
});
