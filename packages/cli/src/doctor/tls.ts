// The judgement of a server's TLS.
import { parseRdsHostname } from '@rds-iam/core';
import { isProtocolError } from '@rds-iam/wire';
import { describeDial } from '../dial.js';
import { regionFlag, shellWord } from '../shell-word.js';
import type { Facts } from './facts.js';
import { type Cause, type Fix, failed, notChecked, passed, type Step } from './step.js';
import { TimedOut } from './within.js';

/** Pure. */
export function judgeTls(facts: Facts): Step {
  const { tls, dial, port } = facts;
  if (tls === undefined) return notChecked('tls', 'nobody answers on that port');
  const { offered, handshake, error } = tls;
  const hostname = facts.name.followed;
  const where = `${hostname}:${port}`;
  if (offered === false) {
    return failed('tls', `${where} does not offer TLS, so no token is sent there`, [
      {
        diagnosis: 'no-tls',
        why: 'this is not an RDS endpoint, all of which offer TLS, or a tunnel or pooler in between terminates it',
        fix: [{ do: 'connect to the RDS endpoint itself, or turn on TLS in whatever is in between' }],
      },
    ]);
  }
  if (!handshake) return judgeNoHandshake(where, offered === true, error);
  const { protocol, chainError, nameError, chain, validTo } = handshake;
  const seen = `${protocol}; certificate of ${chain.join(', issued by ')}, until ${validTo}`;
  if (chainError === 'CERT_HAS_EXPIRED') {
    const fix = [
      {
        shell: `aws rds modify-db-instance --db-instance-identifier ${idIn(hostname)}${regionFlag(parseRdsHostname(hostname)?.region)} --ca-certificate-identifier rds-ca-rsa2048-g1 --apply-immediately`,
      },
    ];
    const why = `the server's certificate, or another one in its chain, has expired (${validTo})`;
    return failed('tls', seen, [{ diagnosis: 'expired-certificate', why, fix }]);
  }
  if (chainError !== undefined) return failed('tls', `${seen}: ${chainError}`, [wrongCa(facts, chainError)]);
  if (nameError !== undefined) {
    const tunnel = dial && {
      do: `check where the tunnel at ${describeDial(dial)} leads: another server has answered`,
    };
    const fix = tunnel
      ? [tunnel]
      : [{ do: 'give one of the names in the certificate as the host name: the RDS endpoint, or a CNAME of it' }];
    const why = `the certificate is not for ${hostname}: ${nameError.replace(/^.*altnames: /, '')}`;
    return failed('tls', `${seen}; it is for another name`, [{ diagnosis: 'wrong-name', why, fix }]);
  }
  return passed('tls', seen);
}

function judgeNoHandshake(where: string, offered: boolean, error: unknown): Step {
  const { code = '', message = String(error) } = (error ?? {}) as { readonly code?: string; readonly message?: string };
  const said = isProtocolError(error)
    ? 'this is not a server of this engine'
    : (message.split('\n', 1)[0]?.replace(/^\w+:error:\w+:SSL routines:\w*:/, '') ?? '');
  if (offered && /SSL|EPROTO/.test(code)) {
    return failed('tls', `${where}: no handshake with TLS 1.2 or 1.3: ${said}`, [
      {
        diagnosis: 'old-tls',
        why: 'the server only supports older versions of TLS, or no cipher that Node.js accepts',
        fix: [{ do: 'raise ssl_min_protocol_version or tls_version in its parameter group, or upgrade the engine' }],
      },
    ]);
  }
  return failed('tls', error instanceof TimedOut ? `${where}: ${said} to a request for TLS` : `${where}: ${said}`, [
    {
      diagnosis: 'no-answer',
      why: 'no database of this engine is listening there, it is overloaded, or something in between closes the connection',
      fix: [{ do: 'check --engine and --port, and that there is no proxy in between' }],
    },
  ]);
}

function wrongCa(facts: Facts, chainError: string): Cause {
  const { followed: hostname } = facts.name;
  const again = doctorCommand(facts);
  const region = parseRdsHostname(hostname)?.region;
  const getBundle: readonly Fix[] = [
    { shell: `rds-iam ca ${region === undefined ? '--all' : `--region ${region}`} --output rds-ca.pem` },
    { shell: `${again} --ca rds-ca.pem` },
  ];
  if (facts.caFile !== undefined) {
    const why = `the certificate is not from an authority in ${facts.caFile} (${chainError})`;
    const leaveOut: Fix = { do: 'leave out --ca for an RDS endpoint: the RDS roots are built in; or get the newest' };
    return { diagnosis: 'wrong-ca', why, fix: [leaveOut, ...getBundle] };
  }
  if (region !== undefined) {
    const why = `the certificate's authority is not among the built-in RDS roots (${chainError}): it is newer, or not an RDS one`;
    return { diagnosis: 'wrong-ca', why, fix: getBundle };
  }
  const why = `the certificate is not from RDS (${chainError}): ${hostname} is another server, or has its own authority`;
  return { diagnosis: 'wrong-ca', why, fix: [{ shell: `${again} --ca FILE-OF-ITS-AUTHORITY.pem` }] };
}

const idIn = (hostname: string) => (parseRdsHostname(hostname) ? shellWord(hostname.split('.', 1)[0] ?? '') : 'ID');

/** The command that examines this login again, in any environment, without `--ca`. */
function doctorCommand({ engine, hostname, port, username, database, regionFlag, profile, dial }: Facts): string {
  const flags = {
    engine,
    hostname,
    port,
    username,
    database,
    region: regionFlag,
    profile,
    dial: dial && describeDial(dial),
  };
  const given = Object.entries(flags).flatMap(([flag, value]) =>
    value === undefined ? [] : [`--${flag} ${shellWord(String(value))}`],
  );
  return ['rds-iam doctor', ...given].join(' ');
}
