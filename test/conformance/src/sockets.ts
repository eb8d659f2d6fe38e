import { type LookupFunction, Socket } from 'node:net';

/** For a driver's option that makes sockets: resolves names with `lookup`, since RDS names do not exist here. */
export function socketThatLooksUp(lookup: LookupFunction): Socket {
  class LookingUpSocket extends Socket {
    override connect(...args: unknown[]): this {
      const [target, host] = args as [number | { port: number; host: string }, string];
      return super.connect(typeof target === 'object' ? { ...target, lookup } : { port: target, host, lookup });
    }
  }
  return new LookingUpSocket();
}

/** A `lookup` that resolves every name to this machine. */
export const loopback: LookupFunction = (_name, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]);
