// Where a host name leads, and which region the database is in.
import { getServers, lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { followCnames, parseRdsHostname } from '@rds-iam/core';
import { describeDial } from '../dial.js';
import type { Facts, Question } from './facts.js';
import { type Cause, failed, passed, type Step, warned } from './step.js';
import { TimedOut, within } from './within.js';

export interface NameSeen {
  /** The names that the CNAMEs led over, the given one left out. */
  readonly chain: readonly string[];
  /** The RDS endpoint that it stands for; the given name if it leads to none. */
  readonly followed: string;
  readonly addresses: readonly string[];
  /** Why it could not be followed, or has no address. */
  readonly error?: unknown;
}

/** Never rejects. */
export async function lookUpName({ hostname, timeoutMs }: Question): Promise<NameSeen> {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 1 });
  resolver.setServers(getServers());
  const chain: string[] = [];
  let followed = hostname;
  try {
    followed = await within(timeoutMs, () =>
      followCnames(hostname, async (name) => {
        const aliases = await resolver.resolveCname(name);
        chain.push(...aliases.slice(0, 1));
        return aliases;
      }),
    );
    const found = await within(timeoutMs, () => lookup(followed, { all: true }));
    return { chain, followed, addresses: found.map(({ address }) => address) };
  } catch (error) {
    return { chain, followed, addresses: [], error };
  } finally {
    // A question that is open keeps the process alive.
    resolver.cancel();
  }
}

/** Pure. */
export function judgeName({ hostname: given, name: { chain, followed, addresses, error }, dial }: Facts): Step {
  // Then an RDS name needs no address.
  if (dial !== undefined && chain.length === 0 && parseRdsHostname(followed) !== undefined) {
    return passed('name', `${given}, which --dial leads to by way of ${describeDial(dial)}`);
  }
  const way = [given, ...chain].join(' → ');
  if (error !== undefined) return judgeDnsError(way, followed, error);
  const at = addresses.includes(followed) ? '' : ` (${addresses.join(', ')})`;
  if (parseRdsHostname(followed) === undefined) {
    return warned('name', `${way}${at} is not an RDS endpoint, and no CNAME of it leads to one`, [
      notAnRdsName(followed, chain),
    ]);
  }
  // The writer of an Aurora global database has no other name than a CNAME.
  if (chain.length === 0 || /\.global\.rds\./.test(given)) return passed('name', `${way}${at}`);
  return warned('name', `${way}${at}`, [
    {
      diagnosis: 'cname',
      why: `${given} is a CNAME, which IAM authentication does not support: a token has to be for ${followed}. All of rds-iam follows it; other programs do not`,
      fix: [{ do: `give other programs the host name ${followed}` }],
    },
  ]);
}

function notAnRdsName(name: string, chain: readonly string[]): Cause {
  const fix = [
    {
      shell:
        "aws rds describe-db-instances --query 'DBInstances[].[DBInstanceIdentifier,Endpoint.Address]' --output text",
    },
    { do: 'give the endpoint that this shows as the host name, or make the custom name a CNAME of it' },
  ];
  if (isIP(name) !== 0 || name === 'localhost') {
    const why = `a token that is signed for ${name} is not for an RDS endpoint, which takes tokens for its own name only`;
    return { diagnosis: 'not-an-rds-name', why, fix };
  }
  const leads = chain.length === 0 ? 'has no CNAME (an alias record or an address in its place?)' : 'leads elsewhere';
  return {
    diagnosis: 'not-an-rds-name',
    why: `${name} ${leads}, so the token is signed for ${name} itself, and RDS takes tokens for its own name only`,
    fix,
  };
}

function judgeDnsError(way: string, name: string, error: unknown): Step {
  const { code, message } = error as { readonly code?: unknown; readonly message?: string };
  if (code === 'ENOTFOUND') {
    return failed('name', `the DNS does not know ${name}`, [
      {
        diagnosis: 'name-not-found',
        why: 'there is a typing error in the host name, the instance was deleted, or this DNS does not serve its zone',
        fix: [
          { shell: `dig ${name}` },
          {
            shell:
              "aws rds describe-db-instances --query 'DBInstances[].[DBInstanceIdentifier,Endpoint.Address]' --output text",
          },
        ],
      },
    ]);
  }
  const seen = error instanceof TimedOut ? `the DNS gives ${error.message}` : (message ?? String(error));
  return failed('name', `${way}: ${seen}`, [
    {
      diagnosis: 'dns-failed',
      why: 'the DNS of this machine does not work for this name',
      fix: [{ shell: `dig ${name}` }, { do: 'mend the CNAME records or the resolver that this shows to be wrong' }],
    },
  ]);
}

/** Pure. Undefined where nothing tells the region, or `flag` contradicts the name. @param followed - that the token is for */
export function regionOf(followed: string, flag: string | undefined, settings: string | undefined): string | undefined {
  const named = parseRdsHostname(followed)?.region;
  if (named === undefined) return flag ?? settings;
  return flag === undefined || flag === named ? named : undefined;
}

/** Pure. */
export function judgeRegion({ name: { followed }, regionFlag: flag, region }: Facts): Step {
  const named = parseRdsHostname(followed)?.region;
  if (region === undefined && named !== undefined) {
    const why = `--region is ${flag}, but ${followed} is in ${named}: a token for ${flag} is refused there`;
    const fix = [{ do: 'leave out --region: the host name tells it' }];
    return failed('region', why, [{ diagnosis: 'wrong-region', why, fix }]);
  }
  if (region === undefined) {
    const why = `nothing tells the region of ${followed}`;
    const fix = [{ do: 'give --region, or set AWS_REGION' }];
    return failed('region', why, [{ diagnosis: 'no-region', why, fix }]);
  }
  if (named !== undefined) return passed('region', `${named}, which the host name tells`);
  const source = flag === undefined ? 'the AWS settings' : '--region';
  const why = `the region ${region} is that of ${source}, and the host name does not tell whether the database is there`;
  const fix = [{ do: "give the endpoint's own name, which has the region in it, or the right --region" }];
  return warned('region', `${region}, of ${source}`, [{ diagnosis: 'wrong-region', why, fix }]);
}
