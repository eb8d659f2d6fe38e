// Where to connect in place of the endpoint, such as a tunnel.
import { isIP } from 'node:net';
import { UsageError } from './exit-code.js';

export interface DialedAddress {
  readonly hostname: string;
  readonly port: number;
}

/** Pure. @param text - the value of `--dial`: `HOST:PORT`, with an IPv6 address in brackets */
export function readDial(text: string): DialedAddress {
  const [, address, name, port] = /^(?:\[([^\]]*)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const isRead = port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
  if (!isRead || (address !== undefined && isIP(address) !== 6)) {
    throw new UsageError('--dial must be HOST:PORT, as in 127.0.0.1:15432 or [::1]:15432');
  }
  return { hostname: address ?? name ?? '', port: Number(port) };
}

export const describeDial = ({ hostname, port }: DialedAddress) =>
  `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`;
