import { promises } from 'node:dns';
import { once } from 'node:events';
import type { LookupFunction } from 'node:net';
import DNS from 'dns2';

/** How the DNS fails for a name: no such name, a server failure, or no answer at all. */
export type DnsFailure = 'NXDOMAIN' | 'SERVFAIL' | 'REFUSED' | 'silence';

export interface DnsQuery {
  /** In lower case. */
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'CNAME' | 'other';
}

/**
 * A DNS server whose records a test can change between queries. A name without any records does not exist (NXDOMAIN); if it only
 * has records of another type, the response is empty (NODATA).
 */
export interface DnsServer extends AsyncDisposable {
  /** `127.0.0.1:port`, for `dns.setServers`. */
  readonly address: string;
  readonly queries: readonly DnsQuery[];
  /** Makes a name an alias, replacing its records. */
  cname(name: string, target: string): void;
  /** Gives a name addresses (IPv4), replacing its records. */
  a(name: string, ...addresses: string[]): void;
  /** Makes queries for a name fail. */
  fail(name: string, failure: DnsFailure): void;
  /** Makes a name exist without a CNAME and without an address. */
  empty(name: string): void;
  remove(name: string): void;
  /** For the `lookup` option of `net.connect`: asks this server, and no other, for the IPv4 addresses of a name. */
  readonly lookup: LookupFunction;
  close(): Promise<void>;
}

type Zone = { readonly cname: string } | { readonly a: readonly string[] } | { readonly failure: DnsFailure };

const { Packet } = DNS;
const RCODES = { SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;
/** Where a resolver would give up: longer than any chain in a test. */
const MAX_CHAIN = 20;

/** Starts a DNS server on loopback (UDP), which answers as a recursive resolver does. */
export async function startDns(): Promise<DnsServer> {
  const names = new Map<string, Zone>();
  const queries: DnsQuery[] = [];
  const server = DNS.createUDPServer((request, send) => {
    const [question] = request.questions;
    if (!question) return;
    const name = question.name.toLowerCase();
    queries.push({ name, type: typeOf(question.type) });
    const response = Packet.createResponseFromRequest(request);
    response.header.ra = 1;
    const rcode = fill(response.answers, names, name, question);
    if (rcode === undefined) return;
    response.header.rcode = rcode;
    void send(response);
  });
  await server.listen(0, '127.0.0.1');
  const address = `127.0.0.1:${server.address().port}`;
  const resolver = new promises.Resolver();
  resolver.setServers([address]);
  let closed: Promise<unknown> | undefined;
  const close = async () => {
    if (!closed) {
      closed = once(server, 'close');
      server.close();
    }
    await closed;
  };
  return {
    address,
    queries,
    cname: (name, target) => void names.set(name.toLowerCase(), { cname: target }),
    a: (name, ...addresses) => void names.set(name.toLowerCase(), { a: addresses }),
    fail: (name, failure) => void names.set(name.toLowerCase(), { failure }),
    empty: (name) => void names.set(name.toLowerCase(), { a: [] }),
    remove: (name) => void names.delete(name.toLowerCase()),
    lookup(hostname, options, callback) {
      resolver.resolve4(hostname).then(
        (found) => {
          if (options.all)
            callback(
              null,
              found.map((each) => ({ address: each, family: 4 })),
            );
          else callback(null, found[0] ?? '', 4);
        },
        (error: NodeJS.ErrnoException) => callback(error, '', 4),
      );
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Adds the records that answer a question to the answers. @returns the response code, or undefined for no response */
function fill(
  answers: DNS.Packet.Resource[],
  names: ReadonlyMap<string, Zone>,
  asked: string,
  question: DNS.Packet.Question,
): number | undefined {
  const add = (record: { readonly name: string; readonly type: number; domain?: string; address?: string }) =>
    answers.push(new Packet.Resource({ ...record, class: question.class, ttl: 0 }));
  let name = asked;
  for (let length = 0; length < MAX_CHAIN; length++) {
    const zone = names.get(name);
    if (!zone) return RCODES.NXDOMAIN;
    if ('failure' in zone) return zone.failure === 'silence' ? undefined : RCODES[zone.failure];
    if ('a' in zone) {
      if (question.type === Packet.TYPE.A) for (const address of zone.a) add({ name, type: Packet.TYPE.A, address });
      return 0;
    }
    add({ name, type: Packet.TYPE.CNAME, domain: zone.cname });
    if (question.type === Packet.TYPE.CNAME) return 0;
    name = zone.cname.toLowerCase().replace(/\.$/, '');
  }
  return RCODES.SERVFAIL;
}

function typeOf(type: number): DnsQuery['type'] {
  const known = (['A', 'AAAA', 'CNAME'] as const).find((each) => Packet.TYPE[each] === type);
  return known ?? 'other';
}
