import { once } from 'node:events';
import { createSecureContext, TLSSocket } from 'node:tls';
import { describeSocketBehavior, listening, type SocketLike } from '@rds-iam/conformance';
import { createCertificateAuthority } from '@rds-iam/emulator';
import { withRdsIam } from '../../src/postgres-js.js';
import { CREDENTIALS, REGION } from '../stack.js';

const ASK_FOR_PASSWORD = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);
const WELCOME = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5a, 0, 0, 0, 5, 0x49]);
/** A startup message without parameters. */
const STARTUP = Buffer.from([0, 0, 0, 9, 0, 3, 0, 0, 0]);

describeSocketBehavior({
  name: 'the stream of postgres.js',
  async start() {
    const authority = await createCertificateAuthority();
    const secureContext = createSecureContext(await authority.issue({ hostnames: ['localhost'] }));
    return listening(async (port, accepted, prepare) => {
      const iam = { region: REGION, credentials: CREDENTIALS, ca: authority.ca };
      const options = withRdsIam({ host: 'localhost', port, user: 'app', iam });
      const { socket } = options as unknown as { socket(asked: object): SocketLike };
      const stream = socket({ host: ['localhost'], port: [port], user: 'app' });
      prepare?.(stream);
      if (stream.destroyed) throw new Error('destroyed');
      stream.write(STARTUP);
      const [wire] = await accepted;
      await once(wire, 'data');
      wire.write('S');
      const peer = new TLSSocket(wire, { isServer: true, secureContext });
      peer.on('error', () => {});
      await once(peer, 'data');
      peer.write(ASK_FOR_PASSWORD);
      await once(peer, 'data');
      peer.write(WELCOME);
      await once(stream, 'data');
      return { stream, peer, wire };
    });
  },
});
