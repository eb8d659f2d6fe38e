import type { RdsIamOptions } from './options.js';
import type { RdsIam } from './rds-iam.js';

/**
 * Options of a driver's with IAM in place of its passwords, whose names are `Secret`. A password is only possible where
 * `iam.enabled` may be `false`, so that one configuration serves a laptop and production.
 */
export type WithIam<Config, Secret extends string = 'password'> = Omit<Config, Secret> &
  (
    | ({
        /** IAM options, or a {@link RdsIam} to share with other pools. @defaultValue the default credential chain */
        readonly iam?: (RdsIamOptions & { readonly enabled?: true }) | RdsIam;
      } & { readonly [Name in Secret & keyof Config]?: undefined })
    | ({
        /** IAM options of which `enabled` says whether the password is used. */
        readonly iam: RdsIamOptions & { readonly enabled: boolean; readonly getToken?: never };
      } & { readonly [Name in Secret & keyof Config]?: Config[Name] })
  );
