import { createRdsIam } from '@rds-iam/core';
import { loginTarget, type Settings } from './settings.js';

/** A token, and the endpoint that it is good for: the RDS name that a CNAME led to. */
export interface SignedLogin {
  readonly token: string;
  readonly expiration: Date;
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
}

export async function sign(settings: Settings): Promise<SignedLogin> {
  const { region, profile } = settings;
  const target = loginTarget(settings);
  const iam = createRdsIam({ ...(region !== undefined && { region }), ...(profile !== undefined && { profile }) });
  const { token, expiration } = await iam.getToken(target);
  // A token begins with the host name and port for which it is signed.
  const hostname = token.slice(0, token.indexOf(`:${target.port}/?`)).replace(/^\[(.*)\]$/, '$1');
  return { token, expiration, ...target, hostname };
}
