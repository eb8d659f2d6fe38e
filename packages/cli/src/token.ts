import { readCa, type Settings } from './settings.js';
import { sign } from './sign.js';
import { print } from './terminal.js';

export async function token(settings: Settings, { json = false }: { readonly json?: boolean }): Promise<number> {
  // Signing needs no CA, but a wrong file should be reported now and not at the login.
  if (settings.ca !== undefined) readCa(settings.ca);
  const signed = await sign(settings);
  print(json ? JSON.stringify(signed) : signed.token);
  return 0;
}
