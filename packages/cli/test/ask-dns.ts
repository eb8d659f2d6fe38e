import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';
import { isIP } from 'node:net';

const isOwn = (name: string) => isIP(name) !== 0 || name === 'localhost';

/** Makes this process ask a DNS server, `host:port`, for aliases and for addresses. @returns a function that undoes this */
export function askDns(address: string): () => void {
  const servers = dns.getServers();
  const { lookup } = dns;
  const { lookup: promised } = dns.promises;
  const addressesOf = async (name: string) =>
    (await dns.promises.resolve4(name)).map((found) => ({ address: found, family: 4 }));
  const ask = (name: string, options: dns.LookupOptions, callback: (error: unknown, ...found: unknown[]) => void) => {
    if (isOwn(name)) return lookup(name, options, callback);
    addressesOf(name).then(
      (found) => (options.all ? callback(null, found) : callback(null, found[0]?.address, 4)),
      callback,
    );
  };
  const askPromised = async (name: string, options: dns.LookupOptions = {}) => {
    if (isOwn(name)) return promised(name, options);
    const found = await addressesOf(name);
    return options.all ? found : found[0];
  };
  const become = (addresses: readonly string[], functions: { lookup: unknown }, promises: { lookup: unknown }) => {
    dns.setServers(addresses);
    dns.promises.setServers(addresses);
    Object.assign(dns, functions);
    Object.assign(dns.promises, promises);
    syncBuiltinESMExports();
  };
  become([address], { lookup: ask }, { lookup: askPromised });
  return () => become(servers, { lookup }, { lookup: promised });
}
