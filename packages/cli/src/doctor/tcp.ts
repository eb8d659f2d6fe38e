import { connect } from 'node:net';
import { type DialedAddress, describeDial } from '../dial.js';
import { showCommand } from './database.js';
import type { Facts } from './facts.js';
import { failed, notChecked, passed, type Step } from './step.js';
import { TimedOut, within } from './within.js';

export type TcpSeen = { readonly address: string; readonly tookMs: number } | { readonly error: unknown };

/** Checks whether anything listens at the endpoint or at the address in `--dial`. Never rejects. */
export async function lookAtTcp({ name, port, dial, timeoutMs }: Facts): Promise<Pick<Facts, 'tcp'>> {
  if (dial !== undefined) return { tcp: await connectTo(dial, timeoutMs) };
  return { tcp: name.error === undefined ? await connectTo({ hostname: name.followed, port }, timeoutMs) : undefined };
}

async function connectTo({ hostname, port }: DialedAddress, timeoutMs: number): Promise<TcpSeen> {
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

/** Pure. */
export function judgeTcp(facts: Facts): Step {
  const { port, tcp, dial } = facts;
  if (tcp === undefined) return notChecked('tcp', 'the name has no address');
  if ('error' in tcp) return dial === undefined ? judgeNoAnswer(tcp.error, facts) : judgeNoTunnel(tcp.error, dial);
  if (dial !== undefined) return passed('tcp', `${describeDial(dial)}, where --dial leads, answers`);
  return passed('tcp', `${tcp.address}:${port} answers within ${Math.max(1, Math.round(tcp.tookMs))} ms`);
}

function judgeNoTunnel(error: unknown, dial: DialedAddress): Step {
  const where = describeDial(dial);
  const { message = '' } = error as { readonly message?: string };
  return failed('tcp', `${where}: ${message}`, [
    {
      diagnosis: 'port-closed',
      why: `nobody answers at ${where}, where --dial leads: the tunnel is not there, or listens elsewhere`,
      fix: [
        { do: 'start the tunnel, or give the address that it listens on as --dial' },
        {
          do: 'within a container, localhost is the container itself: give the name of the host, such as host.docker.internal',
        },
      ],
    },
  ]);
}

function judgeNoAnswer(error: unknown, { name, port, region }: Facts): Step {
  const where = `${name.followed}:${port}`;
  const show = showCommand(name.followed, region);
  const { code = '', message = '' } = error as { readonly code?: string; readonly message?: string };
  if (code === 'ECONNREFUSED') {
    return failed('tcp', `${where} refuses connections`, [
      {
        diagnosis: 'port-closed',
        why: `nobody listens on port ${port}: it is another port, or the server is stopped`,
        fix: [{ shell: show }, { do: 'give the port that this shows as --port, or start the database' }],
      },
    ]);
  }
  return failed('tcp', error instanceof TimedOut ? `${where}: ${error.message}` : `${where}: ${message}`, [
    {
      diagnosis: 'no-route',
      why: 'the security group or a firewall does not let this machine in, or there is no route into the network (the VPC) of the database',
      fix: [
        { shell: show },
        {
          shell: `aws ec2 authorize-security-group-ingress --protocol tcp --port ${port} --cidr ADDRESS-OF-THIS-MACHINE/32 --group-id GROUP-THAT-THIS-SHOWS`,
        },
      ],
    },
    {
      diagnosis: 'wrong-port',
      why: `the database is on another port than ${port}`,
      fix: [{ do: 'give the port that the first command shows as --port' }],
    },
  ]);
}
