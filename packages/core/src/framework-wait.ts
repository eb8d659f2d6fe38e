import type { ConnectOptions } from './login.js';
import type { RdsIam } from './rds-iam.js';

/** How long a driver or framework waits for a connection, and the name of the option that sets it. */
export interface Wait {
  readonly ms: number;
  readonly option: string;
}

/** A login must end before the framework gives up waiting for it, since the framework's error would not name the cause. */
const SHARE = 0.9;

/** How long a login may take if the caller waits this long for it. */
export function shareOfWait(ms: number): number {
  return Math.floor(SHARE * ms);
}

/** Wraps an {@link RdsIam} so that no login takes longer than the framework waits. */
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
