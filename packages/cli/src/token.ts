import { readCa, type Settings } from './settings.js';
import { sign } from './sign.js';
import { print } from './terminal.js';

export async function token(settings: Settings, { json = false }: { readonly json?: boolean }): Promise<number> {
  // It takes no CA to sign, but a file that is wrong should not wait for the login.
  if (settings.ca !== undefined) readCa(settings.ca);
  const signed = await sign(settings);
  print(json ? JSON.stringify(signed) : signed.token);
  return 0;
}
