import type { ConnectOptions } from './login.js';
import type { RdsIam } from './rds-iam.js';

/** How long a driver or a framework waits for a connection, and what its users know that time by. */
export interface Wait {
  readonly ms: number;
  readonly option: string;
}

/** A login ends before the framework that waits for it gives up, whose own error would not name the cause. */
const SHARE = 0.9;

/** How long a login may take when somebody waits this long for it. */
export function shareOfWait(ms: number): number {
  return Math.floor(SHARE * ms);
}

/** The same logins, none of which takes longer than the framework waits. */
export function boundBy(
  { ms, option }: Wait,
  iam: RdsIam,
  more: () => Pick<ConnectOptions, 'stopRetrying'> = () => ({}),
): RdsIam {
  const atMostMs = shareOfWait(ms);
  return {
    ...iam,
    connect(endpoint, open, options) {
      const isShorter = (options?.atMostMs ?? Number.POSITIVE_INFINITY) < atMostMs;
      return iam.connect(endpoint, open, {
        ...options,
        ...(!isShorter && { atMostMs, atMostOption: option }),
        ...more(),
      });
    },
  };
}
