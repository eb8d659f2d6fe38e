import type { Settings } from './settings.js';
import { sign } from './sign.js';
import { print } from './terminal.js';

export async function token(settings: Settings, { json = false }: { readonly json?: boolean }): Promise<number> {
  const signed = await sign(settings);
  print(json ? JSON.stringify(signed) : signed.token);
  return 0;
}
