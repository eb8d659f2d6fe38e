// The report, for people and for programs.
import { styleText } from 'node:util';
import { EXIT } from '../exit-code.js';
import type { Cause, Fix, Outcome, Step } from './step.js';

export interface Verdict {
  /** Whether the login works. */
  readonly works: boolean;
  /** What to fix first, if it does not. */
  readonly cause: Cause | undefined;
  readonly exitCode: number;
}

/** Pure. The causes of a refused login include what earlier steps found; a login that was not tried failed there. */
export function judgeAll(steps: readonly Step[]): Verdict {
  const login = steps.find(({ step }) => step === 'login');
  if (login?.outcome === 'passed') return { works: true, cause: undefined, exitCode: EXIT.ok };
  const failures = steps.filter(({ outcome }) => outcome === 'failed');
  // A wrong clock can make good credentials look expired.
  const first = failures.find(({ step }) => step === 'clock') ?? failures[0];
  const decisive = login?.outcome === 'failed' ? login : first;
  const noCredentials = steps.some(({ step, outcome }) => step === 'credentials' && outcome === 'failed');
  return { works: false, cause: decisive?.causes[0], exitCode: noCredentials ? EXIT.credentials : EXIT.failed };
}

/** Colors a word, or leaves it plain. */
export type Paint = (style: 'green' | 'red' | 'yellow' | 'dim', text: string) => string;

/** Colors only if stdout is a terminal that supports them and NO_COLOR is not set. */
export function paintFor(stdout: NodeJS.WriteStream): Paint {
  const colored = stdout.isTTY === true && stdout.hasColors();
  return (style, text) => (colored ? styleText(style, text) : text);
}

const LABELS: Readonly<Record<Outcome, readonly [label: string, style: 'green' | 'red' | 'yellow' | 'dim']>> = {
  passed: ['passed', 'green'],
  failed: ['FAILED', 'red'],
  warned: ['warning', 'yellow'],
  'not-checked': ['not checked', 'dim'],
};
const LABEL_WIDTH = 13;
const STEP_WIDTH = 13;

/** One step, with its causes below it; a fix that an earlier step has shown is not repeated. Pure. */
export function describeStep({ step, outcome, seen, causes }: Step, earlier: readonly Step[], paint: Paint): string {
  const [label, style] = LABELS[outcome];
  const line = `${paint(style, label)}${' '.repeat(LABEL_WIDTH - label.length)}${step.padEnd(STEP_WIDTH)}${plain(seen)}`;
  const indent = ' '.repeat(LABEL_WIDTH);
  const several = causes.length > 1;
  const below = causes.flatMap(({ why, fix }, index) => {
    const number = several ? `${index + 1}. ` : '';
    const told = earlier.find((other) => other.causes.some((cause) => cause.why === why));
    if (told) return [`${indent}${number}${plain(why)}: see ${told.step}`];
    // The cause need not repeat what was seen.
    const said = !several && why === seen ? [] : [`${indent}${number}${plain(why)}`];
    return [...said, ...fix.map((each) => `${indent}${' '.repeat(number.length)}${describeFix(each)}`)];
  });
  return [line, ...below].join('\n');
}

function describeFix(fix: Fix): string {
  if ('shell' in fix) return `  $ ${plain(fix.shell)}`;
  return 'sql' in fix ? `  SQL> ${plain(fix.sql)}` : `  - ${plain(fix.do)}`;
}

/** Removes control characters: much of the text comes from servers that have not been verified. */
const plain = (text: string) => text.replace(/\p{Cc}+/gu, ' ');

/** The conclusion of the report. Pure. */
export function describeVerdict({ works, cause }: Verdict, steps: readonly Step[], paint: Paint): string {
  const open = steps.filter(({ outcome }) => outcome === 'not-checked').length;
  const rest = open === 0 ? '' : ` ${open} of ${steps.length} steps were not checked.`;
  if (works) {
    const warnings = steps.filter(({ outcome }) => outcome === 'warned' || outcome === 'failed').length;
    const heed = warnings === 0 ? '' : ` ${warnings} of the steps above need attention.`;
    return `\n${paint('green', 'The login works.')}${heed}${rest}`;
  }
  const likely = cause ? ` Most likely: ${plain(cause.why)}.` : '';
  const next = cause && cause.fix.length > 0 ? ['What to do next:', ...cause.fix.map((fix) => describeFix(fix))] : [];
  return [`\n${paint('red', 'The login does not work.')}${likely}${rest}`, ...next].join('\n');
}
