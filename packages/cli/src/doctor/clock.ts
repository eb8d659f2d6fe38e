import { awsClockSkewMs, NOTABLE_SKEW_MS } from '@rds-iam/core/doctor';
import type { Facts } from './facts.js';
import { failed, notChecked, passed, type Step } from './step.js';

/** AWS's time has a precision of one second, plus the time on the network: a smaller difference says nothing. */
const NO_MATTER_S = 10;

export async function askTime({ region, timeoutMs }: Facts): Promise<Pick<Facts, 'skewMs'>> {
  return { skewMs: region === undefined ? undefined : await awsClockSkewMs(region, timeoutMs) };
}

/** Pure. */
export function judgeClock({ skewMs }: Facts): Step {
  if (skewMs === undefined) return notChecked('clock', 'AWS did not say what time it is');
  const seconds = Math.round(Math.abs(skewMs) / 1_000);
  const amount = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} minutes`;
  const seen = `this machine's clock is ${amount} ${skewMs > 0 ? 'behind' : 'ahead of'} AWS's`;
  if (seconds < NO_MATTER_S) return passed('clock', "this machine's clock agrees with AWS's");
  if (Math.abs(skewMs) < NOTABLE_SKEW_MS) return passed('clock', seen);
  return failed('clock', seen, [
    {
      diagnosis: 'clock-skew',
      why: `${seen}: tokens are ${skewMs > 0 ? 'too old' : 'not yet valid'} when they arrive`,
      fix: [
        { shell: 'sudo timedatectl set-ntp true' },
        {
          do: `or, if the clock cannot be set, give the packages clockOffsetMs: ${Math.round(skewMs / 1_000) * 1_000}`,
        },
      ],
    },
  ]);
}
