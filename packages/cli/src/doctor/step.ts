// What a step of the doctor reports: what was seen and, if something is wrong, why and how to fix it.

export type Outcome = 'passed' | 'failed' | 'warned' | 'not-checked';

export type StepName =
  | 'credentials'
  | 'identity'
  | 'clock'
  | 'name'
  | 'region'
  | 'tcp'
  | 'tls'
  | 'database'
  | 'policy'
  | 'login'
  | 'log'
  | 'version'
  | 'encryption'
  | 'account'
  | 'master';

/** The possible problems, as a closed set for programs that read the JSON. */
export type Diagnosis =
  | 'no-credentials'
  | 'expired-credentials'
  | 'refused-credentials'
  | 'clock-skew'
  | 'name-not-found'
  | 'dns-failed'
  | 'cname'
  | 'not-an-rds-name'
  | 'no-region'
  | 'wrong-region'
  | 'port-closed'
  | 'no-route'
  | 'wrong-port'
  | 'no-answer'
  | 'no-tls'
  | 'old-tls'
  | 'wrong-ca'
  | 'wrong-name'
  | 'expired-certificate'
  | 'not-in-account'
  | 'iam-off'
  | 'database-not-available'
  | 'missing-policy'
  | 'denied-by-policy'
  | 'missing-grant'
  | 'master-has-rds-iam'
  | 'plaintext-allowed'
  | 'not-encrypted'
  | 'engine-too-old'
  | 'throttled'
  | 'too-many-connections'
  | 'token-invalid'
  | 'token-refused'
  | 'no-proxy-secret'
  | 'no-such-database'
  | 'no-right-to-connect'
  | 'other';

/** A shell command, a statement for the database, or an instruction for a person. */
export type Fix = { readonly shell: string } | { readonly sql: string } | { readonly do: string };

export interface Cause {
  readonly diagnosis: Diagnosis;
  readonly why: string;
  /** Steps to take in this order. */
  readonly fix: readonly Fix[];
}

export interface Step {
  readonly step: StepName;
  readonly outcome: Outcome;
  /** What was checked and what was seen, or why it was not checked. */
  readonly seen: string;
  /** The most likely one first. */
  readonly causes: readonly Cause[];
}

/** At least one: a step that reports a problem says why. */
export type Causes = readonly [Cause, ...Cause[]];

export function orElse([first, ...others]: readonly Cause[], otherwise: Cause): Causes {
  return [first ?? otherwise, ...others];
}

export const passed = (step: StepName, seen: string): Step => ({ step, outcome: 'passed', seen, causes: [] });

export const failed = (step: StepName, seen: string, causes: Causes): Step => ({
  step,
  outcome: 'failed',
  seen,
  causes,
});

export const warned = (step: StepName, seen: string, causes: Causes): Step => ({
  step,
  outcome: 'warned',
  seen,
  causes,
});

/** Never counts as passed. `causes` are the obstacles, if something can be done about them. */
export const notChecked = (step: StepName, why: string, causes: readonly Cause[] = []): Step => ({
  step,
  outcome: 'not-checked',
  seen: why,
  causes,
});
