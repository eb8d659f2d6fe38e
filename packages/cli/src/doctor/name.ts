// Where a host name leads, and in which region the database is.
import { getServers, lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { followCnames, parseRdsHostname } from '@rds-iam/core';
import { describeDial } from '../dial.js';
import type { Facts, Question } from './facts.js';
import { type Cause, failed, passed, type Step, warned } from './step.js';
import { TimedOut, within } from './within.js';

export interface NameSeen {
  /** The names along the CNAME chain, without the given one. */
  readonly chain: readonly string[];
  /** The RDS endpoint that it stands for; the given name if it leads to none. */
  readonly followed: string;
  readonly addresses: readonly string[];
  /** Why it could not be resolved. */
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
    // An open query would keep the process alive.
    resolver.cancel();
  }
}

/** Pure. */
export function judgeName({ hostname: given, name: { chain, followed, addresses, error }, dial }: Facts): Step {
  // In that case, an RDS name needs no address.
  if (dial !== undefined && chain.length === 0 && parseRdsHostname(followed) !== undefined) {
    return passed('name', `${given}, reached at ${describeDial(dial)} because of --dial`);
  }
  const way = [given, ...chain].join(' → ');
  if (error !== undefined) return judgeDnsError(way, followed, error);
  const at = addresses.includes(followed) ? '' : ` (${addresses.join(', ')})`;
  if (parseRdsHostname(followed) === undefined) {
    return warned('name', `${way}${at} is not an RDS endpoint, and no CNAME of it leads to one`, [
      notAnRdsName(followed, chain),
    ]);
  }
  // A CNAME is the only name of an Aurora global database's writer.
  if (chain.length === 0 || /\.global\.rds\./.test(given)) return passed('name', `${way}${at}`);
  return warned('name', `${way}${at}`, [
    {
      diagnosis: 'cname',
      why: `${given} is a CNAME, which IAM authentication does not support: a token must be for ${followed}. All of rds-iam follows it; other programs do not`,
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
    const why = `the token is signed for ${name}, which is not an RDS endpoint: RDS accepts only tokens for its own names`;
    return { diagnosis: 'not-an-rds-name', why, fix };
  }
  const leads = chain.length === 0 ? 'has no CNAME (an alias record or an address in its place?)' : 'leads elsewhere';
  return {
    diagnosis: 'not-an-rds-name',
    why: `${name} ${leads}, so the token is signed for ${name} itself, and RDS accepts only tokens for its own names`,
    fix,
  };
}

function judgeDnsError(way: string, name: string, error: unknown): Step {
  const { code, message } = error as { readonly code?: unknown; readonly message?: string };
  if (code === 'ENOTFOUND') {
    return failed('name', `the DNS does not know ${name}`, [
      {
        diagnosis: 'name-not-found',
        why: 'there is a typo in the host name, the instance was deleted, or this DNS does not serve its zone',
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
      fix: [
        { shell: `dig ${name}` },
        { do: 'fix the CNAME records or the resolver, whichever this shows to be wrong' },
      ],
    },
  ]);
}

/** Pure. Undefined if the region is not known, or `flag` contradicts the name. @param followed - the name the token is for */
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
    const fix = [{ do: 'leave out --region: the host name contains it' }];
    return failed('region', why, [{ diagnosis: 'wrong-region', why, fix }]);
  }
  if (region === undefined) {
    const why = `the region of ${followed} is not known`;
    const fix = [{ do: 'give --region, or set AWS_REGION' }];
    return failed('region', why, [{ diagnosis: 'no-region', why, fix }]);
  }
  if (named !== undefined) return passed('region', `${named}, from the host name`);
  const source = flag === undefined ? 'the AWS settings' : '--region';
  const why = `the region ${region} is that of ${source}, and the host name does not say whether the database is there`;
  const fix = [{ do: "give the endpoint's own name, which contains the region, or the right --region" }];
  return warned('region', `${region}, of ${source}`, [{ diagnosis: 'wrong-region', why, fix }]);
}
