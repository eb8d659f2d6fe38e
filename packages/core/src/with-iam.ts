import { configError } from './errors.js';
import type { RdsIamOptions } from './options.js';
import type { RdsIam } from './rds-iam.js';

/** The `iam` option without a password to fall back to: IAM options, or an {@link RdsIam} to share. */
export type AlwaysIam = (RdsIamOptions & { readonly enabled?: true }) | RdsIam;

/** The `iam` option beside a password: IAM options whose `enabled` says whether the password is used. */
export type SwitchableIam = RdsIamOptions & { readonly enabled: boolean; readonly getToken?: never };

/**
 * A driver's options with IAM in place of its passwords, whose names are `Secret`. A password is only allowed if
 * `iam.enabled` may be `false`, so that one configuration serves a laptop and production.
 */
export type WithIam<Config, Secret extends string = 'password'> = Omit<Config, Secret> &
  (
    | ({
        /** IAM options, or an {@link RdsIam} to share with other pools. @defaultValue the default credential chain */
        readonly iam?: AlwaysIam;
      } & { readonly [Name in Secret & keyof Config]?: undefined })
    | ({
        /** IAM options whose `enabled` says whether the password is used. */
        readonly iam: SwitchableIam;
      } & { readonly [Name in Secret & keyof Config]?: Config[Name] })
  );

/**
 * Adds `iam` to the options that a framework passes to its driver.
 *
 * @param urlOption - the driver's name for the option that is a connection URL
 */
export function withIam<Config extends object>(
  given: string | object | undefined,
  iam: RdsIam,
  urlOption: 'connectionString' | 'uri',
): Config {
  if (typeof given === 'string') return { [urlOption]: given, iam } as unknown as Config;
  // Frameworks make a password non-enumerable, so a copy would lose it: it must be refused, not lost.
  const { password } = (given ?? {}) as { readonly password?: unknown };
  return { ...given, ...(password !== undefined && { password }), iam } as unknown as Config;
}

/**
 * Refuses a password beside IAM. Frameworks pass on `null` or an empty string if they were given none.
 *
 * @param option - the name of the option that is, or contains, the password
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG`
 */
export function refusePassword(option: string, password: unknown): void {
  if ((password ?? '') === '') return;
  throw configError(option, 'cannot be used with IAM: remove it, or set "iam.enabled" to false to log in with it');
}

/** The same for a password in a connection URL. */
export function refusePasswordInUrl(option: string, password: unknown): void {
  if ((password ?? '') === '') return;
  throw configError(
    option,
    'contains a password, which cannot be used with IAM: remove it, or set "iam.enabled" to false',
  );
}

/** A value from a connection URL for an error message, cut down to what cannot be a secret. */
export function quotable(value: string): string {
  return /^[\w-]{0,20}$/.test(value) ? value : '…';
}
