// What is to be said of the TLS of a server.
import { parseRdsHostname } from '@rds-iam/core';
import { type DialedAddress, describeDial } from '../dial.js';
import { regionFlag, shellWord } from '../shell-word.js';
import type { TlsSeen } from './handshake.js';
import { type Cause, type Fix, failed, passed, type Step } from './step.js';
import { TimedOut } from './within.js';

export interface TlsContext {
  readonly hostname: string;
  readonly port: number;
  /** Where `--dial` leads. */
  readonly dial?: DialedAddress | undefined;
  /** The file of `--ca`. */
  readonly ca: string | undefined;
  /** What runs the doctor on this login again, less `--ca`. */
  readonly again: string;
}

/** Pure. */
export function judgeTls({ offered, handshake, error }: TlsSeen, context: TlsContext): Step {
  const where = `${context.hostname}:${context.port}`;
  if (offered === false) {
    return failed('tls', `${where} does not offer TLS, so no token is sent there`, [
      {
        diagnosis: 'no-tls',
        why: 'this is not an RDS endpoint, all of which offer TLS, or something in between (a tunnel, a pooler) takes it away',
        fix: [{ do: 'connect to the RDS endpoint itself, or turn on TLS in what stands in between' }],
      },
    ]);
  }
  if (!handshake) return judgeNoHandshake(where, offered === true, error);
  const { protocol, chainError, nameError, chain, validTo } = handshake;
  const seen = `${protocol}; certificate of ${chain.join(', issued by ')}, until ${validTo}`;
  if (chainError === 'CERT_HAS_EXPIRED') {
    const fix = [
      {
        shell: `aws rds modify-db-instance --db-instance-identifier ${idIn(context.hostname)}${regionFlag(parseRdsHostname(context.hostname)?.region)} --ca-certificate-identifier rds-ca-rsa2048-g1 --apply-immediately`,
      },
    ];
    const why = `the certificate of the server, or one of its chain, has expired (${validTo})`;
    return failed('tls', seen, [{ diagnosis: 'expired-certificate', why, fix }]);
  }
  if (chainError !== undefined) return failed('tls', `${seen}: ${chainError}`, [wrongCa(context, chainError)]);
  if (nameError !== undefined) {
    const tunnel = context.dial && {
      do: `look where the tunnel at ${describeDial(context.dial)} leads: another server has answered`,
    };
    const fix = tunnel
      ? [tunnel]
      : [{ do: 'give one of the names in the certificate as the host name: the RDS endpoint, or a CNAME of it' }];
    const why = `the certificate is not made out to ${context.hostname}: ${nameError.replace(/^.*altnames: /, '')}`;
    return failed('tls', `${seen}; it is made out to another name`, [{ diagnosis: 'wrong-name', why, fix }]);
  }
  return passed('tls', seen);
}

function judgeNoHandshake(where: string, offered: boolean, error: unknown): Step {
  const { code = '', message = String(error) } = (error ?? {}) as { readonly code?: string; readonly message?: string };
  const said = message.split('\n', 1)[0]?.replace(/^\w+:error:\w+:SSL routines:\w*:/, '') ?? '';
  if (offered && /SSL|EPROTO/.test(code)) {
    return failed('tls', `${where}: no handshake with TLS 1.2 or 1.3: ${said}`, [
      {
        diagnosis: 'old-tls',
        why: 'the server knows older versions of TLS only, or no cipher that Node.js takes',
        fix: [{ do: 'raise ssl_min_protocol_version or tls_version in its parameter group, or upgrade the engine' }],
      },
    ]);
  }
  return failed('tls', error instanceof TimedOut ? `${where}: ${said} to a request for TLS` : `${where}: ${said}`, [
    {
      diagnosis: 'no-answer',
      why: 'what listens there is no database of this engine, is overloaded, or something in between ends the connection',
      fix: [{ do: 'check --engine and --port, and that no proxy stands in between' }],
    },
  ]);
}

function wrongCa({ ca, hostname, again }: TlsContext, chainError: string): Cause {
  const region = parseRdsHostname(hostname)?.region;
  const getBundle: readonly Fix[] = [
    { shell: `rds-iam ca ${region === undefined ? '--all' : `--region ${region}`} --output rds-ca.pem` },
    { shell: `${again} --ca rds-ca.pem` },
  ];
  if (ca !== undefined) {
    const why = `the certificate is not of an authority in ${ca} (${chainError})`;
    const leaveOut: Fix = { do: 'leave out --ca for an RDS endpoint: the RDS roots are built in; or get the newest' };
    return { diagnosis: 'wrong-ca', why, fix: [leaveOut, ...getBundle] };
  }
  if (region !== undefined) {
    const why = `the certificate is of an authority that is not among the RDS roots built in (${chainError}): a newer one, or not that of RDS`;
    return { diagnosis: 'wrong-ca', why, fix: getBundle };
  }
  const why = `the certificate is not of RDS (${chainError}): ${hostname} is another server, or one with an authority of its own`;
  return { diagnosis: 'wrong-ca', why, fix: [{ shell: `${again} --ca FILE-OF-ITS-AUTHORITY.pem` }] };
}

const idIn = (hostname: string) => (parseRdsHostname(hostname) ? shellWord(hostname.split('.', 1)[0] ?? '') : 'ID');
