// What mysql2 has as getters, which Node.js does not see as names of the module.

import type * as mysql2 from 'mysql2';
import driver from 'mysql2';

/** Of mysql2, as it is. */
export const Charsets: typeof mysql2.Charsets = driver.Charsets;
/** Of mysql2, as it is. */
export type Charsets = typeof mysql2.Charsets;
/** Of mysql2, as it is. */
export const CharsetToEncoding: typeof mysql2.CharsetToEncoding = driver.CharsetToEncoding;
/** Of mysql2, as it is. */
export const Types: typeof mysql2.Types = driver.Types;
/** Of mysql2, as it is. */
export type Types = typeof mysql2.Types;
/** Of mysql2, as it is; in its older versions there is none. */
export const TypedParameter: TypedParameterOf<typeof mysql2> = (driver as NewestDriver).TypedParameter;

type NewestDriver = { readonly TypedParameter: TypedParameterOf<typeof mysql2> };
type TypedParameterOf<Driver> = Driver extends { readonly TypedParameter: infer Value } ? Value : undefined;
