// mysql2 defines these as getters, which Node.js does not recognize as named exports.

import type * as mysql2 from 'mysql2';
import driver from 'mysql2';

/** Re-exported from mysql2 unchanged. */
export const Charsets: typeof mysql2.Charsets = driver.Charsets;
/** Re-exported from mysql2 unchanged. */
export type Charsets = typeof mysql2.Charsets;
/** Re-exported from mysql2 unchanged. */
export const CharsetToEncoding: typeof mysql2.CharsetToEncoding = driver.CharsetToEncoding;
/** Re-exported from mysql2 unchanged. */
export const Types: typeof mysql2.Types = driver.Types;
/** Re-exported from mysql2 unchanged. */
export type Types = typeof mysql2.Types;
/** Re-exported from mysql2 unchanged; missing in its older versions. */
export const TypedParameter: TypedParameterOf<typeof mysql2> = (driver as NewestDriver).TypedParameter;

type NewestDriver = { readonly TypedParameter: TypedParameterOf<typeof mysql2> };
type TypedParameterOf<Driver> = Driver extends { readonly TypedParameter: infer Value } ? Value : undefined;
