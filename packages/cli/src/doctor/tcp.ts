import { connect } from 'node:net';
import { type DialedAddress, describeDial } from '../dial.js';
import { failed, passed, type Step } from './step.js';
import { TimedOut, within } from './within.js';

export type TcpSeen = { readonly address: string; readonly tookMs: number } | { readonly error: unknown };

/** Whether anybody listens. Never rejects. */
export async function dial(hostname: string, port: number, timeoutMs: number): Promise<TcpSeen> {
  const startedAt = performance.now();
  const socket = connect(port, hostname);
  try {
    await within(
      timeoutMs,
      () => new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject)),
    );
    return { address: socket.remoteAddress ?? hostname, tookMs: performance.now() - startedAt };
  } catch (error) {
    return { error };
  } finally {
    socket.on('error', () => {}).destroy();
  }
}

/** Pure. @param show - what shows the database's own port and security groups, if the RDS API knows it by a name */
export function judgeTcp(seen: TcpSeen, at: { readonly hostname: string; readonly port: number }, show: string): Step {
  if ('address' in seen) {
    return passed('tcp', `${seen.address}:${at.port} answers within ${Math.max(1, Math.round(seen.tookMs))} ms`);
  }
  return judgeNoAnswer(seen.error, at, show);
}

/** Pure. Of where `--dial` leads, in place of the endpoint. */
export function judgeTunnel(seen: TcpSeen, at: DialedAddress): Step {
  const where = describeDial(at);
  if ('address' in seen) return passed('tcp', `${where}, where --dial leads, answers`);
  const { message = '' } = seen.error as { readonly message?: string };
  return failed('tcp', `${where}: ${message}`, [
    {
      diagnosis: 'port-closed',
      why: `nobody answers at ${where}, where --dial leads: the tunnel is not there, or listens elsewhere`,
      fix: [
        { do: 'start the tunnel, or give the address that it listens on as --dial' },
        { do: 'within a container, localhost is the container: give the name of the host, as host.docker.internal' },
      ],
    },
  ]);
}

function judgeNoAnswer(error: unknown, at: DialedAddress, show: string): Step {
  const where = `${at.hostname}:${at.port}`;
  const { code = '', message = '' } = error as { readonly code?: string; readonly message?: string };
  if (code === 'ECONNREFUSED') {
    return failed('tcp', `${where} refuses connections`, [
      {
        diagnosis: 'port-closed',
        why: `nobody listens on port ${at.port}: it is another port, or the server is stopped`,
        fix: [{ shell: show }, { do: 'give the port that this shows as --port, or start the database' }],
      },
    ]);
  }
  return failed('tcp', error instanceof TimedOut ? `${where}: ${error.message}` : `${where}: ${message}`, [
    {
      diagnosis: 'no-route',
      why: 'the security group or a firewall does not let this machine in, or there is no way into the network (the VPC) that the database is in',
      fix: [
        { shell: show },
        {
          shell: `aws ec2 authorize-security-group-ingress --protocol tcp --port ${at.port} --cidr ADDRESS-OF-THIS-MACHINE/32 --group-id GROUP-THAT-THIS-SHOWS`,
        },
      ],
    },
    {
      diagnosis: 'wrong-port',
      why: `the database is on another port than ${at.port}`,
      fix: [{ do: 'give the port that the first command shows as --port' }],
    },
  ]);
}
